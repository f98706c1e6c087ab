"""A study whose tracking server is down when it starts, and is killed while it runs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow import MlflowClient

from cluster.tracking import start_tracker
from facegan.config import Config
from facegan.errors import UserError
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import Plan, make_plan
from facegan.study.folder.trial_folder import MetricsRow, trial_folder
from tests.planning import PLANNED_DATA
from tests.serving import free_port, wait_for_answer

pytestmark = [pytest.mark.slow, pytest.mark.integration]


@contextmanager
def server(port: int, folder: Path) -> Iterator[None]:
    """A real MLflow server, which is killed when the block ends."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--artifacts-destination", str(folder / "files")]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "server.log").open("a") as log:
        started = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            wait_for_answer(f"http://127.0.0.1:{port}/health", started, (folder / "server.log").read_text)
            yield
        finally:
            os.killpg(started.pid, signal.SIGKILL)
            started.wait(30)


def write_row(study: Path, plan: Plan, images: int) -> None:
    folder = trial_folder(study, plan.trials[0])
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.append_row(MetricsRow(images, 1.0, time.time(), {"images_per_second": 8.0, "loss/pixel": 0.5}))
    folder.write_state("RUNNING", images=images, seconds=1.0, passes={})


def test_runs_are_complete_once_the_server_answers(tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port, study = free_port(), tmp_path / "study"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    arms = choose_design("figure2", Config(), names=("full",)).arms
    plan = make_plan(tiny, arms, design="figure2", preset="demo", seeds=(0,), data=PLANNED_DATA, commit="")
    tracker = start_tracker(plan, study)
    write_row(study, plan, 8)
    with pytest.raises(UserError, match="no answer"):
        tracker.sync()
    with server(port, tmp_path):
        tracker.sync()
    write_row(study, plan, 16)
    for use in (tracker.sync, lambda: tracker.finish("", {})):
        began = time.monotonic()
        with pytest.raises(UserError, match=r"no answer.*the same command then sends the runs"):
            use()
        assert time.monotonic() - began < 30, "MLflow itself tries for minutes"
    write_row(study, plan, 24)
    with server(port, tmp_path):
        trial_folder(study, plan.trials[0]).write_state("COMPLETED", images=24, seconds=1.0, passes={})
        tracker.finish("the note", {})
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("facegan")
    assert experiment is not None
    runs = {run.data.tags["kind"]: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"study", "trial"} and {run.info.status for run in runs.values()} == {"FINISHED"}
    assert [m.step for m in client.get_metric_history(runs["trial"].info.run_id, "loss/pixel")] == [8, 16, 24]
