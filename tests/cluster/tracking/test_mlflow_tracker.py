"""The tracker of MLflow, on a SQLite file next to the study."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Run
from mlflow.store.tracking.dbmodels.initial_models import Base as InitialBase
from sqlalchemy import create_engine, text

from cluster.tracking import start_tracker
from cluster.tracking.mlflow_tracker import how_to_open
from cluster.tracking.study_view import links_to_views
from facegan.config import Config
from facegan.errors import UserError
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import Plan, make_plan
from facegan.study.folder.trial_folder import MetricsRow, trial_folder
from tests.planning import PLANNED_DATA


def one_arm(config: Config, *seeds: int) -> Plan:
    """The plan of the full loss, with seed 0 unless others are given."""
    arms = choose_design("figure2", Config(), names=("full",)).arms
    return make_plan(config, arms, design="figure2", preset="demo", seeds=seeds or (0,), data=PLANNED_DATA, commit="")


@pytest.mark.parametrize(
    ("uri", "on_a_cluster", "word"),
    [
        (f"sqlite:///{Path.cwd()}/studies/mlflow.db", False, "make mlflow)"),
        ("sqlite:////home/me/my studies/mlflow.db", False, "make mlflow STUDIES='/home/me/my studies')"),
        ("http://127.0.0.1:5000", True, "make mlflow-tunnel"),
        ("http://127.0.0.1:5000", False, ""),
        ("http://mlflow.example.org", True, ""),
    ],
)
def test_it_names_the_command_that_opens_the_ui(
    uri: str, on_a_cluster: bool, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if on_a_cluster:
        monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    text = how_to_open(uri)
    assert word in text and bool(word) == bool(text)


def test_nothing_is_said_about_a_missing_git(tmp_path: Path) -> None:
    """As in the container image."""
    code = """
from cluster.tracking import import_tracker
import_tracker()
from mlflow.utils import git_utils
print(git_utils.get_git_commit("."))
"""
    environment = {name: value for name, value in os.environ.items() if name != "GIT_PYTHON_REFRESH"} | {"PATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("None\n", "")


def write_row(study: Path, plan: Plan, images: int) -> None:
    folder = trial_folder(study, plan.trials[0])
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.append_row(MetricsRow(images, 1.0, time.time(), {"images_per_second": 8.0, "loss/pixel": 0.5}))
    folder.write_state("RUNNING", images=images, seconds=1.0, passes={})


@pytest.mark.slow
def test_a_tracker_started_again_continues_its_runs_and_sends_nothing_twice(
    tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    study = tmp_path / "study"
    plan = one_arm(tiny)
    write_row(study, plan, 8)
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    start_tracker(plan, study).sync()
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    write_row(study, plan, 16)
    tracker = start_tracker(plan, study)
    tracker.sync()
    trial_folder(study, plan.trials[0]).write_state("COMPLETED", images=16, seconds=1.0, passes={})
    tracker.finish("the *note*", {"claim": "yes"})

    assert tracker.location.startswith(f"sqlite:///{tmp_path / 'mlflow.db'}")
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("facegan")
    assert experiment is not None
    runs: dict[str, Run] = {run.data.tags["kind"]: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"study", "trial"}
    history = client.get_metric_history(runs["trial"].info.run_id, "loss/pixel")
    assert [metric.step for metric in history] == [8, 16]
    done = client.get_metric_history(runs["study"].info.run_id, "study/share")
    assert [(metric.step, metric.value) for metric in done] == [(8, 0.25), (16, 0.5), (16, 1.0)]
    assert (
        runs["study"].data.metrics["study/trials_ended"] == 1
        and "study/best_validation_score" not in runs["study"].data.metrics
    )
    note = runs["study"].data.tags["mlflow.note.content"]
    tracker.finish("\n".join(f"- line {number}" for number in range(4000)), {})
    long = client.get_run(runs["study"].info.run_id).data.tags["mlflow.note.content"]
    assert 7900 < len(long) <= 8000 and long.endswith("\n\nThe rest is in the files under Artifacts.")
    assert re.fullmatch(r"- line \d+", long.splitlines()[-3]), "lines are whole"
    assert note == f"[Scores and curves of all arms]({tracker.view})\n\nthe *note*"
    assert [link for _, link in links_to_views(client, client.tracking_uri)] == [tracker.view], "the view is replaced"
    assert runs["study"].data.tags["claim"] == "yes"
    assert {run.info.status for run in runs.values()} == {"FINISHED"}


def test_a_server_that_refuses_ends_in_one_line(
    tiny: Config, tmp_path: Path, refusing_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", refusing_server)
    plan = one_arm(tiny)
    with pytest.raises(UserError, match=f"MLflow at '{refusing_server}': .*run the same command again") as refused:
        start_tracker(plan, tmp_path / "study").sync()
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.slow
def test_what_a_killed_driver_had_sent_in_part_is_sent_in_whole(
    tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More rows than MLflow takes at once, a sample image and the entry of the data set."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    study, plan = tmp_path / "study", one_arm(tiny)
    folder = trial_folder(study, plan.trials[0])
    folder.samples.mkdir(parents=True)
    (folder.samples / "8.png").write_bytes(b"a whole picture")
    names, steps = ["images_per_second", *(f"loss/{number}" for number in range(300))], list(range(8, 72, 8))
    for images in steps:
        folder.append_row(MetricsRow(images, 1.0, time.time(), dict.fromkeys(names, 1.0)))
    folder.write_state("RUNNING", images=64, seconds=1.0, passes={})
    send = MlflowClient.log_batch

    def killed(client: MlflowClient, run: str, metrics: Sequence[Metric] = (), **others: Any) -> None:
        if any(metric.step > 40 for metric in metrics):
            raise KeyboardInterrupt
        send(client, run, metrics, **others)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", killed)
        patch.setattr(MlflowClient, "log_inputs", lambda *_: None)
        with pytest.raises(KeyboardInterrupt):
            start_tracker(plan, study).sync()
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (run,) = client.search_runs(["1"], "tags.kind = 'trial'")
    assert client.get_metric_history(run.info.run_id, names[0])
    client.log_text(run.info.run_id, "a who", "samples/8.png")

    start_tracker(plan, study).sync()
    for name in names:
        assert [metric.step for metric in client.get_metric_history(run.info.run_id, name)] == steps, name
    samples = client.download_artifacts(run.info.run_id, "samples", str(tmp_path))
    assert (Path(samples) / "8.png").read_bytes() == b"a whole picture"
    inputs = client.get_run(run.info.run_id).inputs
    assert inputs and len(inputs.dataset_inputs) == 1


@pytest.mark.slow
def test_a_study_that_grew_by_a_seed_keeps_its_parent_run(
    tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow refuses another value of a parameter, such as the number of trials."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for seeds in ((0,), (0, 1)):
        start_tracker(one_arm(tiny, *seeds), tmp_path / "study").sync()
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("facegan")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    assert sorted(run.data.tags["kind"] for run in found) == ["study", "trial", "trial"]
    (parent,) = [run for run in found if run.data.tags["kind"] == "study"]
    assert (parent.data.tags["seeds"], parent.data.tags["trials"]) == ("0 1", "2")


@pytest.mark.slow
def test_one_plan_in_two_folders_has_two_runs(tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    plan = one_arm(tiny)
    for folder in ("first", "it's the second", "first"):
        start_tracker(plan, tmp_path / folder).sync()
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("facegan")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    assert sorted(run.data.tags["kind"] for run in found) == ["study", "study", "trial", "trial"]


@pytest.mark.slow
def test_files_that_cannot_be_stored_end_in_one_line(tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    plan = one_arm(tiny)
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "report.html").write_text("")
    tracker = start_tracker(plan, tmp_path / "study")
    tracker.sync()
    shutil.rmtree(tmp_path / "mlartifacts")
    (tmp_path / "mlartifacts").write_text("a file where MLflow's folder was")
    with pytest.raises(UserError, match=r"MLflow at 'sqlite:.*mlartifacts.*run the same command again") as refused:
        tracker.finish("", {})
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.slow
def test_a_database_that_cannot_be_opened_ends_in_one_line(
    tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow itself tries for minutes."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "mlflow.db").mkdir()
    with pytest.raises(UserError, match=r"mlflow\.db': unable to open database file; if it stays so, move the file away"):
        sync(one_arm(tiny), tmp_path / "study")


def sync(plan: Plan, study: Path) -> None:
    start_tracker(plan, study).sync()


@pytest.mark.slow
def test_a_database_that_mlflow_cannot_use_ends_in_one_line_whose_cure_works(
    tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here one whose creation by MLflow itself was killed."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    engine = create_engine(f"sqlite:///{tmp_path / 'mlflow.db'}")
    InitialBase.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE _alembic_tmp_experiments (experiment_id INTEGER)"))
    engine.dispose()
    with pytest.raises(UserError, match=r"_alembic_tmp_experiments already exists; .* move the file away and run") as refused:
        sync(one_arm(tiny), tmp_path / "study")
    assert len(str(refused.value).splitlines()) == 1
    (tmp_path / "mlflow.db").rename(tmp_path / "aside.db")
    with ProcessPoolExecutor(1, get_context("spawn")) as another_command:
        another_command.submit(sync, one_arm(tiny), tmp_path / "study").result()
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        assert ("facegan",) in database.execute("SELECT name FROM experiments").fetchall()


@pytest.mark.slow
def test_a_user_whom_the_machine_has_no_name_of_has_a_number(
    tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container that is started with the number of another machine's user."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    plan = one_arm(tiny)
    start_tracker(plan, tmp_path / "study").sync()
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("facegan")
    assert experiment is not None
    users = {run.data.tags["mlflow.user"] for run in client.search_runs([experiment.experiment_id])}
    assert users == {str(os.getuid())}
