"""The live page of a study from the command line."""

import dataclasses
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from cluster.storage.uri import StorageURI
from cluster.studies.trial_store import TrialStore
from facegan.config import Config
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.sources import clips_in
from facegan.data.reading.local_copy import ingest_folder
from facegan.errors import UserError
from facegan.live.checks import LIVE
from facegan.study.folder.trial_folder import trial_folder
from jobs.serve import Serve, main
from tests.cluster.storage.s3_environment import s3_client, s3_environment
from tests.live_study import live_study
from tests.serving import listening_addresses, mocked_aws

pytestmark = pytest.mark.slow  # starts a job
ROOT = Path(__file__).parents[2]


def test_the_page_is_written_served_and_ended_by_ctrl_c(data_folder: Path, tiny: Config, tmp_path: Path) -> None:
    live_study(tmp_path / "study", tiny, data_folder)
    job = subprocess.Popen(
        [sys.executable, str(ROOT / "jobs" / "serve.py"), "study"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A background job of a shell ignores SIGINT, and its children inherit this; the tests may run in one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert job.stdout is not None
    lines = []
    for line in job.stdout:
        lines.append(line)
        if line.startswith("page"):
            break
    assert lines, job.communicate()[1]
    with urllib.request.urlopen(lines[-1].split()[1], timeout=10) as page:
        assert b"<title>What each term draws</title>" in page.read()
    assert listening_addresses(job.pid) == {"127.0.0.1"}
    job.send_signal(signal.SIGINT)
    rest, errors = job.communicate(timeout=30)
    assert (job.returncode, rest.strip(), errors) == (0, "ended", "")
    assert [line.split()[0] for line in lines] == ["network"] * 4 + ["folder", "page"]
    assert "-Cons.: 0.3 MB, within" in lines[0] and "none of -Feature (no run has a checkpoint)" in lines[3]
    assert (tmp_path / "study" / "live" / LIVE).is_file()


def test_real_people_are_exported_only_if_asked_for(
    clips: Path, tiny: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The refusal's cure works. The clips are rendered; the data set says otherwise."""
    ingest_folder(clips_in(clips), clips, tmp_path / "set", IngestConfig(size=32), synthetic=False)
    live_study(tmp_path / "study", tiny, tmp_path / "set")
    asked = Serve(study=str(tmp_path / "study"), out=str(tmp_path / "out"), export_only=True)
    with pytest.raises(UserError, match="give --include_faces True"):
        main(asked)
    assert not (tmp_path / "out").exists()
    main(dataclasses.replace(asked, include_faces=True))
    assert '"synthetic": false' in (tmp_path / "out" / LIVE).read_text()
    assert "page" not in [line.split()[0] for line in capsys.readouterr().out.splitlines()]


@pytest.mark.s3
def test_a_study_in_a_bucket_is_drawn_from_its_checkpoints(
    data_folder: Path, tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder lies here, not in the bucket."""
    study, uri = tmp_path / "study", StorageURI("s3://serve/studies/one")
    plan = live_study(study, tiny, data_folder)
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    with mocked_aws() as server, s3_environment(server):
        s3_client().create_bucket(Bucket="serve")
        for name in ("plan.json", "summary.json"):
            uri.write(name, (study / name).read_bytes())
        for trial in plan.trials:
            folder = trial_folder(study, trial)
            if folder.checkpoint.exists():
                TrialStore(uri, folder).publish(now=True)
        before = {entry.key for entry in uri.entries()}
        main(Serve(study=uri.uri, export_only=True))
        assert {entry.key for entry in uri.entries()} == before
    assert len(list((tmp_path / f"live-{plan.id()}" / "networks").iterdir())) == 3


def test_what_cannot_be_served_is_refused_before_anything_is_written(data_folder: Path, tiny: Config, tmp_path: Path) -> None:
    plan = live_study(tmp_path / "study", tiny, data_folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="contains other files; name a new one"):
        main(Serve(study=str(tmp_path / "study"), out=str(tmp_path / "other")))
    for trial in plan.trials:
        shutil.rmtree(tmp_path / "study" / "trials" / trial.key / "checkpoint", ignore_errors=True)
    with pytest.raises(UserError, match="no run has a checkpoint yet"):
        main(Serve(study=str(tmp_path / "study")))
    assert not (tmp_path / "study" / "live").exists() and [p.name for p in (tmp_path / "other").iterdir()] == ["thesis.txt"]
