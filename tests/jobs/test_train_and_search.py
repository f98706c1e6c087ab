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
from facegan.records import parse_record
from facegan.study.cost.timing import read_timing
from facegan.study.folder.study_folder import read_plan
from facegan.study.folder.trial_folder import trial_folder
from facegan.study.search.results import SEARCH, SearchResult
from facegan.trial import TrialRun, run_trial
from tests.known import known

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
    timing = known(read_timing(trial_folder(jobs.study(), trial)))
    assert 0 < timing.trained_seconds < timing.seconds, "the next price of this run knows what it takes beside training"
    with StudyStore(StorageURI(str(tmp_path / "alone"))).trial(trial.key) as alone:
        run_trial(TrialRun(trial.config, alone), planned_data(plan).open(), torch.device("cpu"), lambda metrics: None)
    for one, two in zip(alone.folder.rows(), rows(jobs.study()), strict=True):
        assert one.images == two["images"]
        for name in ("loss/pixel", "loss/perceptual", "loss/self_consistency", "loss/discriminator"):
            assert two["metrics"][name] == pytest.approx(one.metrics[name], rel=5e-3), name


def test_a_search_stops_candidates_and_trains_the_best_again_beside_the_configured_weights(
    jobs_in: Callable[..., Any], data_folder: Path, tmp_path: Path
) -> None:
    """Two arms, proposed by TPE in two generations; and the same command again changes nothing."""
    jobs = jobs_in(tmp_path, data_folder, cpus=1)
    flags = ["--study", "study", "--images", "216"]
    flags += ["--arms", "full", "no_feature", "--candidates", "6", "--generation", "4", "--sampler", "tpe", "--seeds", "1", "2"]
    flags += ["--space", "loss.pixel=1..100", "optim.generator_lr=1e-5..1e-2"]
    output = jobs.run("search", *flags)

    # The search: what ASHA stopped has fewer images, and nobody was scored on test people.
    study, candidates = tmp_path / "study", tmp_path / "study-candidates"
    found = parse_record(SearchResult, (study / SEARCH).read_bytes(), "search.json", "")
    assert found == parse_record(SearchResult, (candidates / SEARCH).read_bytes(), "search.json", "")
    assert [arm.arm for arm in found.arms] == ["no_feature", "full"] and found.images < found.planned_images
    for arm in found.arms:
        assert [c.number for c in arm.candidates] == list(range(6)) and arm.candidates[0].values == {}
        assert {c.state for c in arm.candidates} == {"COMPLETED", "STOPPED"}
        assert all((c.images == 216) == (c.state == "COMPLETED") for c in arm.candidates)
        assert [rung.images for rung in arm.rungs] == [24, 56, 112] and arm.rungs[0].judged == 6 > arm.rungs[0].went_on
        assert sum(c.is_finalist for c in arm.candidates) == 1
    assert not list(candidates.glob("trials/*/scores.json"))
    assert "8 candidates have been measured, 4 more are proposed" in output

    # The finalists, with other seeds and scored, and the arms as configured.
    plan = read_plan(study)
    tuned = [arm for arm in plan.arms if arm.changes]
    assert plan.seeds == (1, 2) and {"full", "no_feature"} <= {arm.name for arm in plan.arms}
    assert [arm.name for arm in plan.arms if arm.levels] == [
        next((arm.name for arm in tuned if arm.name.startswith(f"{name}_")), name) for name in ("no_feature", "full")
    ]
    summary = json.loads((study / "summary.json").read_text())
    assert [trial["state"] for trial in summary["trials"]] == ["COMPLETED"] * 2 * len(plan.arms)
    assert all(len(row["again"]) == 2 for arm in summary["finalists"] for row in arm["finalists"])
    assert '<h2 id="search">' in (study / "report.html").read_text() and (study / "search.png").exists()

    # Nothing is trained again.
    rows = {path: path.stat().st_mtime_ns for path in tmp_path.glob("study*/trials/*/metrics.jsonl")}
    jobs.run("search", *flags)
    assert jobs.plan("search", *flags).count("nothing left to train") == 2
    assert rows == {path: path.stat().st_mtime_ns for path in tmp_path.glob("study*/trials/*/metrics.jsonl")}
