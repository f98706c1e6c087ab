"""kill -9 of the driver, the same command again: the study of an undisturbed run, each trial in its own MLflow run."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mlflow import MlflowClient

from cluster.trial import AloneRun, run_trial
from facegan.data.triplets import FaceData
from facegan.study.plan import read_plan, trial_folder

pytestmark = pytest.mark.ray
MORE = ("--arms", "no_pixel", "full", "--images", "320", "--checkpoint_every", "32")


def science(study: Path) -> list[dict[str, Any]]:
    """What does not depend on the clock: rows of metrics and scores of each trial."""
    trials = []
    for folder in sorted((study / "trials").iterdir()):
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        rows = [{k: v for k, v in row.items() if k not in ("time", "seconds", "images_per_second")} for row in lines]
        trials.append({"key": folder.name, "rows": rows, "scores": json.loads((folder / "scores.json").read_text())})
    return trials


def kill_after_a_checkpoint(jobs: Any) -> None:
    driver = subprocess.Popen(
        jobs.command("ablate", *MORE),
        cwd=jobs.folder,
        env=jobs.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and driver.poll() is None:
        if list((jobs.folder / "studies").glob("*/trials/*/checkpoint/state.json")):
            break
        time.sleep(0.05)
    assert driver.poll() is None, "the study ended before it could be killed"
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()


def test_a_killed_study_ends_as_an_undisturbed_one(jobs_in: Callable[[Path], Any], tmp_path: Path) -> None:
    (tmp_path / "killed").mkdir()
    killed = jobs_in(tmp_path / "killed")
    kill_after_a_checkpoint(killed)
    states = [json.loads(p.read_text())["state"] for p in killed.study().glob("trials/*/state.json")]
    assert "COMPLETED" not in states
    killed.run("ablate", *MORE)
    plan = read_plan(killed.study())
    for trial in plan.trials:
        undisturbed = trial_folder(tmp_path / "whole", trial)
        run_trial(trial.config, undisturbed, FaceData(Path(plan.data["folder"])), torch.device("cpu"), AloneRun())
    assert science(killed.study()) == science(tmp_path / "whole")
    client = MlflowClient(f"sqlite:///{tmp_path / 'killed' / 'studies' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("facegan")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    assert len(found) == 1 + 2
    for run in found:
        assert run.info.status == "FINISHED"
        steps = [m.step for m in client.get_metric_history(run.info.run_id, "loss/generator")]
        assert sorted(set(steps)) == sorted(steps)
