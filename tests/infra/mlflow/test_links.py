"""The links that `make mlflow` prints."""

import socket
from pathlib import Path

import pytest

from cluster.tracking import start_tracker
from facegan.config import Config
from facegan.errors import UserError
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import make_plan
from infra.mlflow.links import Links, main
from tests.planning import PLANNED_DATA
from tests.serving import free_port


@pytest.mark.slow
def test_each_study_has_a_line_with_its_link(
    tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    arms = choose_design("figure2", Config(), names=("full",)).arms
    plan = make_plan(tiny, arms, design="figure2", preset="demo", seeds=(0,), data=PLANNED_DATA, commit="")
    links = {}
    for name in ("z first", "a second"):
        tracker = start_tracker(plan, tmp_path / name)
        tracker.sync()
        links[name] = tracker.view
    capsys.readouterr()
    main(Links(studies=tmp_path, port=free_port()))
    assert capsys.readouterr().out == "".join(f"{name}\n    {link}\n" for name, link in links.items())
    assert len(set(links.values())) == 2


def test_a_folder_without_studies_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"no {tmp_path}/mlflow.db: run a study first"):
        main(Links(studies=tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_second_server_is_refused_before_it_starts(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").touch()
    with socket.create_server(("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(UserError, match=f"^port {port} of 127.0.0.1 is in use: open http://127.0.0.1:{port} if"):
            main(Links(studies=tmp_path, port=port))
