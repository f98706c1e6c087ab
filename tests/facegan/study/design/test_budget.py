"""Budgets: compute is counted from the training step itself and declared in the plan."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from facegan.config import Config
from facegan.errors import UserError
from facegan.files import read_json
from facegan.landmarks import maps
from facegan.presets import preset
from facegan.study.design.arms import choose_design
from facegan.study.design.budget import Budget, choose_budget
from facegan.study.design.plan import Plan
from facegan.study.folder.study_folder import open_study, read_plan
from facegan.training.packing import random_batch
from facegan.training.state import new_state
from facegan.training.step import step
from tests.facegan.study.budgets import ARMS, budget_plan


@pytest.mark.slow
def test_counted_flops_and_passes_equal_those_of_a_real_step(tiny: Config) -> None:
    config = tiny.override({"model.maps": "points"})
    budget = choose_budget("flops", None, config, ARMS)
    for arm in ARMS:
        real = arm.apply(config).override({"model.first_layer": "dense"})
        state = new_state(real, torch.device("cpu"))
        with FlopCounterMode(display=False) as counted:
            step(state, random_batch(real))
        assert budget.gflop_per_image[arm.name] == pytest.approx(counted.get_total_flops() / 4 / 1e9, rel=1e-12), arm.name
        assert budget.passes_per_image[arm.name] == {name: count / 4 for name, count in state.passes.items()}


def test_counting_leaves_no_tensors_without_storage_in_caches(tiny: Config) -> None:
    """Tensors on the meta device in a cache would break the training step that follows in the same process."""
    maps._segments.cache_clear()
    choose_budget("flops", None, tiny, choose_design("figure2", Config(), names=("full",)).arms)
    assert step(new_state(tiny, torch.device("cpu")), random_batch(tiny))["loss/generator"].item() > 0


@pytest.mark.slow
def test_flops_of_the_poster_preset_match_the_measured_step() -> None:
    """jobs/bench/results/step_cpu.json has 163.6 GFLOP per image with dense maps."""
    config = preset("poster")
    budget = choose_budget("flops", None, config, choose_design("figure2", Config(), names=("full",)).arms)
    assert budget.gflop_per_image["full"] == pytest.approx(163.6, abs=0.1)


def test_arms_of_equal_compute_differ_in_images(flops_plan: Plan, tiny: Config) -> None:
    images = {trial.arm: trial.config.images for trial in flops_plan.trials}
    assert flops_plan.budget.gflop is not None
    assert images["full"] == images["no_pixel"] == tiny.images
    assert images["no_consistency"] > images["no_feature"] > images["full"]
    assert flops_plan.budget.gflop == pytest.approx(tiny.images * flops_plan.budget.gflop_per_image["full"])
    for arm, count in images.items():
        assert count % tiny.optim.batch == 0
        cost = flops_plan.budget.gflop_per_image[arm]
        assert abs(count * cost - flops_plan.budget.gflop) <= tiny.optim.batch * cost / 2


def test_the_budget_is_that_of_the_whole_loss_even_without_that_arm(tiny: Config, flops_plan: Plan) -> None:
    arms = choose_design("figure2", Config(), names=("no_consistency",)).arms
    alone = budget_plan(tiny, choose_budget("flops", None, tiny, arms), arms=arms)
    assert alone.trials[0].key == next(t.key for t in flops_plan.trials if t.arm == "no_consistency")


def test_seeds_of_an_arm_get_equal_images(tiny: Config, flops_plan: Plan) -> None:
    found = budget_plan(tiny, flops_plan.budget)
    assert all(len({t.config.images for t in found.trials if t.arm == arm.name}) == 1 for arm in ARMS)


def test_keys_of_plans_and_trials_depend_on_the_budget(tiny: Config, flops_plan: Plan, seconds_plan: Plan) -> None:
    images, longer = budget_plan(tiny, None), budget_plan(tiny, choose_budget("seconds", 3.0, tiny, ARMS))
    assert images.id() == budget_plan(tiny, Budget()).id()
    assert len({p.id() for p in (images, flops_plan, seconds_plan, longer)}) == 4
    assert not {t.key for t in seconds_plan.trials} & {t.key for t in (*images.trials, *flops_plan.trials, *longer.trials)}
    # Trials of the whole loss are the same with both budgets.
    shared = {t.key for t in images.trials} & {t.key for t in flops_plan.trials}
    assert shared == {t.key for t in images.trials if t.arm in ("full", "no_pixel")}


def test_the_id_of_a_plan_depends_on_the_kind_of_its_budget(tiny: Config) -> None:
    full = choose_design("figure2", Config(), names=("full",)).arms
    ids = {budget_plan(tiny, choose_budget(kind, None, tiny, full), arms=full).id() for kind in ("images", "flops")}
    assert len(ids) == 2


def test_plans_with_a_budget_read_back_equal(flops_plan: Plan, seconds_plan: Plan, tmp_path: Path) -> None:
    for name, written in (("flops", flops_plan), ("seconds", seconds_plan)):
        open_study(tmp_path / name, written)
        assert read_plan(tmp_path / name) == written
    declared = read_json(tmp_path / "flops" / "plan.json")
    assert declared["plan"]["budget"]["gflop_per_image"] == flops_plan.budget.gflop_per_image
    assert "GFLOP for each run, the networks' multiply-adds forward and backward" in declared["equalised"]
    assert "not bit-reproducible" in read_json(tmp_path / "seconds" / "plan.json")["equalised"]


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        ("seconds", None, "--seconds is missing"),
        ("images", 5.0, "nothing with --budget images"),
        ("seconds", 0.0, "--seconds is 0: above 0"),
        ("seconds", float("nan"), "--seconds is nan: above 0"),
    ],
)
def test_seconds_that_do_not_fit_the_budget_are_refused(kind: Any, value: float | None, says: str, tiny: Config) -> None:
    with pytest.raises(UserError, match=says):
        choose_budget(kind, value, tiny, ARMS)
