"""A data-parallel run on Ray Train, and a search for weights with ASHA."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cluster.datasets.dataset import planned_data
from cluster.storage.uri import StorageURI
from cluster.studies.study_store import StudyStore
from facegan.study.folder.study_folder import read_plan
from facegan.trial import TrialRun, run_trial

pytestmark = pytest.mark.ray


def rows(study: Path) -> list[dict[str, Any]]:
    (file,) = study.glob("trials/*/metrics.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_two_workers_compute_the_losses_of_one_process(
    jobs_in: Callable[[Path], Any], data_folder: Path, tmp_path: Path
) -> None:
    jobs = jobs_in(tmp_path)
    jobs.run("train", "--data", str(data_folder), "--workers", "2", "--optim.generator_lr", "1e-5")
    assert (jobs.study() / "report.html").exists()
    plan = read_plan(jobs.study())
    (trial,) = plan.trials
    with StudyStore(StorageURI(str(tmp_path / "alone"))).trial(trial.key) as alone:
        run_trial(TrialRun(trial.config, alone), planned_data(plan).open(), torch.device("cpu"), lambda metrics: None)
    for one, two in zip(alone.folder.rows(), rows(jobs.study()), strict=True):
        assert one.images == two["images"]
        for name in ("loss/pixel", "loss/perceptual", "loss/self_consistency", "loss/discriminator"):
            assert two["metrics"][name] == pytest.approx(one.metrics[name], rel=5e-3), name


def test_search_ranks_candidates_and_asha_stops_some(jobs_in: Callable[[Path], Any], data_folder: Path, tmp_path: Path) -> None:
    jobs = jobs_in(tmp_path)
    output = jobs.run(
        "search",
        "--data",
        str(data_folder),
        "--candidates",
        "6",
        "--grace_images",
        "16",
        "--images",
        "96",
        "--cpus_per_trial",
        "1",
    )
    trials = json.loads((jobs.study() / "summary.json").read_text())["trials"]
    assert len({json.dumps(t["weights"]) for t in trials}) == 6
    states = [t["state"] for t in trials]
    assert set(states) == {"COMPLETED", "STOPPED"}, states
    assert all(t["images"] == 96 for t in trials if t["state"] == "COMPLETED")
    assert all(16 <= t["images"] < 96 for t in trials if t["state"] == "STOPPED")
    table = output[output.index("candidates by validation/selection_score") :].splitlines()[1:]
    errors = [float(line.split()[0]) for line in table if line.strip()]
    assert len(errors) == 6
    assert errors == sorted(errors)
