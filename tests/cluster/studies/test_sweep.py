"""Trials on Ray Tune: an error makes a trial FAILED, a loss that is not finite DIVERGED, and the others continue."""

from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from ray.tune.experiment import Trial as TuneTrial

from cluster.datasets.dataset import DataSet, existing
from cluster.runtime.resource_flags import TrialResources
from cluster.storage.uri import StorageURI
from cluster.studies.study_store import StudyStore
from cluster.studies.sweep import run_sweep
from cluster.studies.tune_callbacks import TrialFailures
from facegan.config import Config
from facegan.errors import UserError
from facegan.study.analysis.parity import check_parity
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import Plan, make_plan
from facegan.study.folder.trial_folder import trial_folder
from facegan.training.checkpoint import branch
from facegan.training.start_conditions import start_conditions
from tests.planning import PLANNED_DATA

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("one_cpu")]


def plan(config: Config, *arms: str) -> Plan:
    return make_plan(
        config,
        choose_design("figure2", config, names=arms).arms,
        design="figure2",
        preset="demo",
        seeds=(0,),
        data=PLANNED_DATA,
        commit="",
    )


def test_a_trial_with_an_error_is_failed_with_its_reason(tiny: Config, tmp_path: Path) -> None:
    broken = plan(tiny, "full")
    run_sweep(
        broken,
        StudyStore(StorageURI(str(tmp_path))),
        DataSet(str(tmp_path / "no_such_data"), 1, "0" * 64),
        TrialResources(1, None),
    )
    state = trial_folder(tmp_path, broken.trials[0]).state()
    assert state.state == "FAILED"
    assert "no_such_data" in state.error


def test_a_trial_that_loses_each_node_before_it_trains_is_given_up(
    tiny: Config, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It would start again without end. The error has the words that Ray has for such a node."""
    broken, gone = plan(tiny, "full"), DataSet(str(tmp_path / "The actor is temporarily unavailable"), 1, "0" * 64)
    run_sweep(broken, StudyStore(StorageURI(str(tmp_path / "study"))), gone, TrialResources(1, None))
    assert trial_folder(tmp_path / "study", broken.trials[0]).state().state == "FAILED"
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith("trial ")]
    lost, again, last = lines[:2], lines[2:4], lines[4:]
    assert all("lost its node, starts again" in line for line in lost)
    assert ["failed 1 of 3" in again[0], "failed 2 of 3" in again[1]] == [True, True]
    assert len(last) == 1 and "failed 3 of 3 times, is given up: its node was lost or not reached, again before" in last[0]


def test_losses_of_nodes_count_only_without_an_image_more() -> None:
    trained = iter([8, 8, 8, 16, 16, 8, 16])
    failures = TrialFailures({"key": "Full seed 0"}, lambda _: next(trained))
    counts = []
    lost = TuneTrial("train", config={"keys": ["key"]}, stub=True, storage=None)
    for _ in range(7):
        lost.run_metadata.num_failures += 1  # as Tune does before it tells of a failure
        with patch("cluster.studies.tune_callbacks._last_error", return_value="its node has died"):
            failures.on_trial_recover(0, [lost], lost)
        counts.append(lost.num_failures)
    assert counts == [0, 0, 0, 0, 0, 0, 1]


def test_a_diverged_trial_is_a_result_and_the_others_continue(tiny: Config, data_folder: Path, tmp_path: Path) -> None:
    # With such weights a gradient is too large for float32.
    wild = plan(tiny.override({"loss.pixel": 1e38, "loss.perceptual": 1e38}), "no_feature", "no_pixel", "no_consistency")
    calm = plan(tiny, "full")
    both = Plan(**{**{n: getattr(wild, n) for n in wild.__slots__}, "trials": wild.trials + calm.trials})
    run_sweep(both, StudyStore(StorageURI(str(tmp_path))), existing(StorageURI(str(data_folder))), TrialResources(1, None))
    states = [trial_folder(tmp_path, t).state() for t in both.trials]
    assert states[-1].state == "COMPLETED"
    assert {s.state for s in states[:-1]} == {"DIVERGED"}
    assert all("not finite" in s.error for s in states[:-1])


@pytest.mark.slow
def test_runs_that_train_together_in_one_actor_end_one_by_one(tiny: Config, data_folder: Path, tmp_path: Path) -> None:
    """Three runs in groups of two have the scores that they have alone."""
    study = plan(tiny.override({"images": 16}), "no_pixel", "no_feature", "full")
    (alone, together), data = (tmp_path / "alone", tmp_path / "together"), existing(StorageURI(str(data_folder)))
    for folder, runs_together in ((alone, 1), (together, 2)):
        run_sweep(study, StudyStore(StorageURI(str(folder))), data, TrialResources(1, None), runs_together)
    for trial in study.trials:
        one, other = (trial_folder(folder, trial) for folder in (alone, together))
        assert one.state().state == other.state().state == "COMPLETED"
        assert one.scores() == other.scores()
    # A trial of Tune is a group: two runs, and the third.
    assert len(list((together / "tune").glob("*/*/result.json"))) == 2
    assert len(list((alone / "tune").glob("*/*/result.json"))) == 3


def test_a_trial_larger_than_the_cluster_is_refused(tiny: Config, data_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a trial takes 999 CPU, the cluster has"):
        run_sweep(
            plan(tiny, "full"),
            StudyStore(StorageURI(str(tmp_path))),
            existing(StorageURI(str(data_folder))),
            TrialResources(999, 0),
        )


def test_packing_is_measured_on_the_full_loss(tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first arm of a design is the cheapest: as many of it fit on a GPU as there is no memory for of the full loss."""
    measured = []

    def measure(resources: TrialResources, config: Config, study: Path) -> TrialResources:
        measured.append(config)
        raise UserError("measured")

    monkeypatch.setattr("cluster.studies.sweep.choose_trial_resources", measure)
    study = plan(tiny)
    store = StudyStore(StorageURI(str(tmp_path / "study")))
    store.open(study)
    with pytest.raises(UserError, match="measured"):
        run_sweep(study, store, DataSet("", 0, ""), TrialResources())
    assert measured[0].loss.active() == tiny.loss.active() != study.trials[0].config.loss.active()


@pytest.mark.slow
def test_arms_branch_from_one_warm_up_per_seed(tiny: Config, data_folder: Path, tmp_path: Path) -> None:
    config = tiny.override({"warm_up": 16})
    branched, data = plan(config, "no_pixel", "full"), existing(StorageURI(str(data_folder)))
    store = StudyStore(StorageURI(str(tmp_path)))
    run_sweep(branched, store, data, TrialResources(1, None))
    (warm_up,) = branched.warm_ups()
    folder = trial_folder(tmp_path, warm_up)
    assert folder.state().state == "COMPLETED" and folder.state().images == 16 and folder.scores() is None
    rows = folder.rows()
    assert rows and not any("consistency" in name for row in rows for name in row.metrics)
    starts = {trial_folder(tmp_path, t).conditions().start_weights for t in branched.trials}
    expected = branch(folder.checkpoint, branched.trials[0].config, torch.device("cpu"))
    assert starts == {start_conditions(expected, data.open())["start_weights"]}
    assert {trial_folder(tmp_path, t).state().state for t in branched.trials} == {"COMPLETED"}
    row = check_parity(tmp_path, branched).warm_ups[0]
    assert (row.images, row.state) == (16, "COMPLETED")


def test_the_trials_of_a_diverged_warm_up_fail_with_its_reason(tiny: Config, data_folder: Path, tmp_path: Path) -> None:
    wild = plan(tiny.override({"warm_up": 16, "loss.perceptual": 1e38}), "full")
    store = StudyStore(StorageURI(str(tmp_path)))
    run_sweep(wild, store, existing(StorageURI(str(data_folder))), TrialResources(1, None))
    state = trial_folder(tmp_path, wild.trials[0]).state()
    assert state.state == "FAILED" and state.error.startswith("the warm-up of seed 0 is DIVERGED")
