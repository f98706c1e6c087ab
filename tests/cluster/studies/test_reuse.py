"""Finished trials of a study beside this one are copied, those that are unfinished, damaged or of another key are not."""

import os
from pathlib import Path

import pytest

from cluster.storage.uri import storage_uri
from cluster.studies.reuse import copy_finished_trials
from cluster.studies.study_store import StudyStore
from facegan.config import Config
from facegan.study.design.change import compared_arms
from facegan.study.design.plan import Plan, Trial, make_plan
from facegan.study.folder.trial_folder import trial_folder
from tests.facegan.study.planted_study import finish_trial, planted_card
from tests.planning import PLANNED_DATA


def make_comparison(folder: Path, config: Config, change: str) -> tuple[StudyStore, Plan]:
    store = StudyStore(storage_uri("--study", str(folder)))
    plan = make_plan(
        config,
        compared_arms(config, [change]),
        design="compare",
        preset="demo",
        seeds=(0, 1),
        data=PLANNED_DATA,
        commit="abc",
    )
    return store, store.open(plan)


def finish(store: StudyStore, trial: Trial) -> None:
    finish_trial(store.folder, trial, planted_card(10, 0.1, 0.2))
    folder = trial_folder(store.folder, trial)
    folder.checkpoint.mkdir()
    (folder.checkpoint / "weights").write_bytes(trial.key.encode())
    (folder.path / ".writer").write_bytes(b"the other run")


@pytest.fixture
def studies(tmp_path: Path, tiny: Config) -> tuple[tuple[StudyStore, Plan], tuple[StudyStore, Plan]]:
    """Two comparisons with one base; all trials of the first are finished."""
    first = make_comparison(tmp_path / "one", tiny, "loss.pixel=5")
    for trial in first[1].trials:
        finish(first[0], trial)
    return first, make_comparison(tmp_path / "two", tiny, "loss.pixel=6")


def test_the_base_of_another_comparison_is_copied_with_all_of_its_files(
    studies: tuple[tuple[StudyStore, Plan], tuple[StudyStore, Plan]],
) -> None:
    (first, _), (store, plan) = studies
    base = [trial for trial in plan.trials if trial.arm == "base"]
    assert copy_finished_trials(plan, store) == [trial.key for trial in base]
    assert store.not_ended(plan.trials) == [trial for trial in plan.trials if trial.arm == "changed"]
    for trial in base:
        own, other = (trial_folder(s.folder, trial) for s in (store, first))
        assert own.scores() == other.scores() is not None
        assert (own.checkpoint / "weights").read_bytes() == trial.key.encode()
        assert not (own.path / ".writer").exists() and (other.path / ".writer").exists()
    assert copy_finished_trials(plan, store) == []
    assert not list(store.folder.rglob("*.partial"))


def test_a_trial_that_is_unfinished_or_damaged_is_not_copied(
    studies: tuple[tuple[StudyStore, Plan], tuple[StudyStore, Plan]],
) -> None:
    (first, _), (store, plan) = studies
    running, damaged = (trial_folder(first.folder, trial) for trial in plan.trials if trial.arm == "base")
    running.write_state("RUNNING", images=8, seconds=1.0, passes={})
    (damaged.path / "scores.json").write_text("{")
    assert copy_finished_trials(plan, store) == []
    (damaged.path / "scores.json").unlink()
    assert copy_finished_trials(plan, store) == []
    assert len(store.not_ended(plan.trials)) == 4


def test_a_study_of_another_user_is_not_trusted(
    studies: tuple[tuple[StudyStore, Plan], tuple[StudyStore, Plan]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, (store, plan) = studies
    user = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: user + 1)
    assert copy_finished_trials(plan, store) == []


def test_a_warm_up_is_copied_without_scores(tmp_path: Path, tiny: Config) -> None:
    config = tiny.override({"warm_up": 8})
    first, plan = make_comparison(tmp_path / "one", config, "loss.pixel=5")
    (warm_up, _) = plan.warm_ups()
    folder = trial_folder(first.folder, warm_up)
    folder.checkpoint.mkdir(parents=True)
    folder.write_state("COMPLETED", images=8, seconds=1.0, passes={})
    store, plan = make_comparison(tmp_path / "two", config, "loss.pixel=6")
    assert copy_finished_trials(plan, store) == [warm_up.key]


def test_what_a_killed_run_left_in_the_own_folder_is_replaced(
    studies: tuple[tuple[StudyStore, Plan], tuple[StudyStore, Plan]],
) -> None:
    _, (store, plan) = studies
    trial = next(trial for trial in plan.trials if trial.arm == "base")
    own = trial_folder(store.folder, trial)
    own.path.mkdir(parents=True)
    own.write_state("RUNNING", images=8, seconds=1.0, passes={})
    assert trial.key in copy_finished_trials(plan, store)
    assert own.state().state == "COMPLETED"
