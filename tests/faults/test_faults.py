"""The faults that take least time; `make faults` has all of them."""

import random
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from cluster.datasets.dataset import planned_data
from cluster.storage.uri import StorageURI
from cluster.studies.study_store import StudyStore
from facegan.study.folder.study_folder import read_plan
from facegan.trial import TrialRun, run_trial
from tests.faults import outages
from tests.faults.kills import kill_in_each_phase
from tests.faults.lab import LENGTH, Study

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.integration]


def undisturbed(study: Study, folder: Path) -> dict[str, Any]:
    """Rows and scores of the same trials, run in this process."""
    plan = read_plan(study.study)
    for trial in plan.trials:
        with StudyStore(StorageURI(str(folder / "study"))).trial(trial.key) as storage:
            run_trial(TrialRun(trial.config, storage), planned_data(plan).open(), torch.device("cpu"), lambda _: None)
    return Study(folder, ()).trials()


def test_a_study_killed_in_each_phase_has_the_results_of_an_undisturbed_one(tmp_path: Path) -> None:
    study = Study(tmp_path / "killed", ("--arms", "full", *LENGTH))
    told = kill_in_each_phase(study, random.Random(3))
    assert [line.partition(":")[0] for line in told] == ["ingest", "training", "scoring", "conclusion"]
    assert any(": worker " in line for line in told) and study.said("trial ") and "raylet" not in study.console.read_text()
    assert study.trials() == undisturbed(study, tmp_path / "whole")
    assert study.left_behind() == []


@pytest.mark.parametrize("which", ["raylet", "head"])
def test_a_driver_ends_with_its_ray(which: str, data_folder: Path, tmp_path: Path) -> None:
    """It would wait for a minute, and then end in a dump."""
    study = Study(tmp_path, ("--data", str(data_folder), "--arms", "full", *LENGTH))
    study.start()
    study.until(lambda: bool(study.said("train ")))
    study.kill(which)
    assert study.end(30) == 1
    name = {"raylet": "raylet", "head": "gcs_server"}[which]
    assert study.said("Ray's ").startswith(f"Ray's {name} ended unexpectedly")
    # The next job removes a checkpoint that a worker was writing, and the file that says who held the study last.
    unfinished = re.compile(r"study/trials/\w+/checkpoint\.(\d+\.partial|previous)")
    left = [name for name in study.left_behind() if not unfinished.fullmatch(name)]
    assert left == ["study/.driver"]


def test_after_a_full_disk_the_same_command_goes_on(data_folder: Path, tmp_path: Path) -> None:
    study = Study(tmp_path, ("--data", str(data_folder), "--arms", "full", *LENGTH))
    outcome = outages.disk_is_full(study)
    assert "the disk is full" in outcome.seen
    assert study.trials() == undisturbed(study, tmp_path / "whole")
