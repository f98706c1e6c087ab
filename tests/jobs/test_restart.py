"""A study interrupted by Ctrl-C and then by SIGKILL: running it again gives the results of an uninterrupted one."""

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

from cluster.datasets.dataset import planned_data
from cluster.storage.uri import StorageURI
from cluster.studies.study_store import StudyStore
from facegan.study.folder.study_folder import read_plan
from facegan.trial import TrialRun, run_trial

pytestmark = pytest.mark.ray
MORE = ("--arms", "full", "--images", "320", "--checkpoint_every", "32")


def reproducible_results(study: Path) -> list[dict[str, Any]]:
    """Metrics and scores of each trial, without values that depend on the clock."""
    trials = []
    for folder in sorted((study / "trials").iterdir()):
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        rows = [(row["images"], {k: v for k, v in row["metrics"].items() if k != "images_per_second"}) for row in lines]
        trials.append({"key": folder.name, "rows": rows, "scores": json.loads((folder / "scores.json").read_text())})
    return trials


def images(jobs: Any) -> int:
    """Images trained on according to the checkpoints of all trials."""
    files = (jobs.folder / "studies").glob("*/trials/*/checkpoint/state.json")
    return sum(int(json.loads(file.read_text())["images"]) for file in files)


def interrupt_after_a_checkpoint(jobs: Any, data: Path, how: signal.Signals) -> int:
    """Start the study, send a signal after its next checkpoint, and return the exit code."""
    before = images(jobs)
    driver = subprocess.Popen(
        jobs.command("ablate", "--data", str(data), *MORE),
        cwd=jobs.folder,
        env=jobs.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # A background job of a shell ignores SIGINT, and its children inherit this; the tests may run in one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and driver.poll() is None:
        try:
            if images(jobs) > before:
                break
        except FileNotFoundError:
            pass  # between the two renames that replace a checkpoint
        time.sleep(0.05)
    assert driver.poll() is None, "the study ended before it could be interrupted"
    os.kill(driver.pid, how)
    return driver.wait(60)


def test_an_interrupted_study_has_the_results_of_an_uninterrupted_one(
    jobs_in: Callable[[Path], Any], data_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "killed").mkdir()
    killed = jobs_in(tmp_path / "killed")
    assert interrupt_after_a_checkpoint(killed, data_folder, signal.SIGINT) == 130
    assert interrupt_after_a_checkpoint(killed, data_folder, signal.SIGKILL) == -signal.SIGKILL
    states = {json.loads(p.read_text())["state"] for p in killed.study().glob("trials/*/state.json")}
    assert states == {"RUNNING"}
    killed.run("ablate", "--data", str(data_folder), *MORE)
    plan = read_plan(killed.study())
    for trial in plan.trials:
        with StudyStore(StorageURI(str(tmp_path / "whole"))).trial(trial.key) as uninterrupted:
            run_trial(
                TrialRun(trial.config, uninterrupted), planned_data(plan).open(), torch.device("cpu"), lambda metrics: None
            )
    assert reproducible_results(killed.study()) == reproducible_results(tmp_path / "whole")
    client = MlflowClient(f"sqlite:///{tmp_path / 'killed' / 'studies' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("facegan")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    assert len(found) == 1 + 1
    for run in found:
        assert run.info.status == "FINISHED"
        steps = [m.step for m in client.get_metric_history(run.info.run_id, "loss/generator")]
        assert sorted(set(steps)) == sorted(steps)
