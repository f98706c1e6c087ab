"""Budgets: equal compute is counted from the step itself, declared in the plan, and seen in what each trial really did."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from facegan.config import Config
from facegan.errors import UserError
from facegan.files import read_json
from facegan.landmarks import maps
from facegan.packing import random_batch
from facegan.presets import preset
from facegan.step import new_state, step
from facegan.study.analysis.parity import check_parity
from facegan.study.conclusions.summary import summarise_study
from facegan.study.design.arms import choose_design
from facegan.study.design.budget import Budget, choose_budget
from facegan.study.design.plan import Plan, make_plan
from facegan.study.folder.study_folder import open_study, read_plan
from facegan.study.folder.trial_folder import MetricsRow, trial_folder
from tests.planning import PLANNED_DATA

ARMS = choose_design("figure2", Config()).arms


def plan(config: Config, budget: Budget | None, **changes: Any) -> Plan:
    given: dict[str, Any] = {"design": "figure2", "preset": "demo", "seeds": (0, 1), "candidates": 1, "commit": ""}
    return make_plan(config, changes.pop("arms", ARMS), **given | {"data": PLANNED_DATA, "budget": budget} | changes)


@pytest.fixture(scope="module")
def passes(tiny: Config) -> Plan:
    return plan(tiny, choose_budget("flops", None, tiny, ARMS))


@pytest.fixture(scope="module")
def seconds(tiny: Config) -> Plan:
    return plan(tiny, choose_budget("seconds", 2.5, tiny, ARMS))


def test_operations_are_those_of_a_real_step(tiny: Config) -> None:
    config = tiny.override({"model.maps": "points"})
    budget = choose_budget("flops", None, config, ARMS)
    for arm in ARMS:
        real = arm.apply(config).override({"model.first_layer": "dense"})
        state = new_state(real, torch.device("cpu"))
        with FlopCounterMode(display=False) as counted:
            step(state, random_batch(real))
        assert budget.gflop_per_image[arm.name] == pytest.approx(counted.get_total_flops() / 4 / 1e9, rel=1e-12), arm.name
        assert budget.passes_per_image[arm.name] == {name: count / 4 for name, count in state.passes.items()}


def test_counting_leaves_the_process_as_it_was(tiny: Config) -> None:
    """Tensors without storage must not stay in what the process keeps: the report's pictures are drawn after the plan."""
    maps._segments.cache_clear()
    choose_budget("flops", None, tiny, choose_design("figure2", Config(), names=("full",)).arms)
    assert step(new_state(tiny, torch.device("cpu")), random_batch(tiny))["loss/generator"].item() > 0


def test_the_poster_step_is_counted_in_a_moment_and_as_known() -> None:
    """163.6 GFLOP an image with dense maps: jobs/bench/results/step_cpu.json has it of the real step."""
    config = preset("poster")
    budget = choose_budget("flops", None, config, choose_design("figure2", Config(), names=("full",)).arms)
    assert budget.gflop_per_image["full"] == pytest.approx(163.6, abs=0.1)


def test_arms_of_equal_compute_differ_in_images(passes: Plan, tiny: Config) -> None:
    images = {trial.arm: trial.config.images for trial in passes.trials}
    assert passes.budget.gflop is not None
    assert images["full"] == images["no_pixel"] == tiny.images
    assert images["no_consistency"] > images["no_feature"] > images["full"]
    assert passes.budget.gflop == pytest.approx(tiny.images * passes.budget.gflop_per_image["full"])
    for arm, count in images.items():
        assert count % tiny.optim.batch == 0
        cost = passes.budget.gflop_per_image[arm]
        assert abs(count * cost - passes.budget.gflop) <= tiny.optim.batch * cost / 2


def test_the_reference_is_the_whole_loss_even_where_no_arm_has_it(tiny: Config, passes: Plan) -> None:
    arms = choose_design("figure2", Config(), names=("no_consistency",)).arms
    alone = plan(tiny, choose_budget("flops", None, tiny, arms), arms=arms)
    assert alone.trials[0].key == next(t.key for t in passes.trials if t.arm == "no_consistency")


def test_candidates_and_seeds_of_an_arm_get_the_same(tiny: Config, passes: Plan) -> None:
    found = plan(tiny, passes.budget, candidates=3)
    assert all(len({t.config.images for t in found.trials if t.arm == arm.name}) == 1 for arm in ARMS)


def test_names_of_plans_and_trials_tell_budgets_apart(tiny: Config, passes: Plan, seconds: Plan) -> None:
    images, longer = plan(tiny, None), plan(tiny, choose_budget("seconds", 3.0, tiny, ARMS))
    assert images.id() == plan(tiny, Budget()).id()
    assert len({p.id() for p in (images, passes, seconds, longer)}) == 4
    assert not {t.key for t in seconds.trials} & {t.key for t in (*images.trials, *passes.trials, *longer.trials)}
    # What an arm of the whole loss does is the same run.
    shared = {t.key for t in images.trials} & {t.key for t in passes.trials}
    assert shared == {t.key for t in images.trials if t.arm in ("full", "no_pixel")}


def test_a_plan_of_the_whole_loss_alone_still_names_its_budget(tiny: Config) -> None:
    full = choose_design("figure2", Config(), names=("full",)).arms
    ids = {plan(tiny, choose_budget(kind, None, tiny, full), arms=full).id() for kind in ("images", "flops")}
    assert len(ids) == 2


def test_plans_read_back_as_they_were_written(passes: Plan, seconds: Plan, tmp_path: Path) -> None:
    for name, written in (("flops", passes), ("seconds", seconds)):
        open_study(tmp_path / name, written)
        assert read_plan(tmp_path / name) == written
    declared = read_json(tmp_path / "flops" / "plan.json")
    assert declared["budget"]["gflop_per_image"] == passes.budget.gflop_per_image
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
def test_what_does_not_fit_together_is_refused(kind: Any, value: float | None, says: str, tiny: Config) -> None:
    with pytest.raises(UserError, match=says):
        choose_budget(kind, value, tiny, ARMS)


def finish(root: Path, found: Plan) -> None:
    """What trials leave that did as planned, a second for each report."""
    for i, trial in enumerate(found.trials):
        folder = trial_folder(root, trial)
        images = trial.config.images if found.budget.seconds is None else 8 * (3 + i)
        per_image = {"generator": 4, "discriminator": 3, "vgg": 2}
        if found.budget.gflop is not None:
            per_image = {name: int(n) for name, n in found.budget.passes_per_image[trial.arm].items()}
        folder.write_state("COMPLETED", images=images, seconds=3.0, passes={n: v * images for n, v in per_image.items()})
        folder.write_conditions(start_weights=f"w{trial.seed}", first_batches=f"b{trial.seed}", device="cpu")
        for report in (1, 2, 3):
            folder.append_row(MetricsRow(images * report // 3, 0.9 * report, 0.0, {}))


def unmet(root: Path, found: Plan) -> list[str]:
    return [row.demand for row in check_parity(root, found).demands if not row.met]


def test_compute_that_was_not_equal_is_seen(passes: Plan, tmp_path: Path) -> None:
    finish(tmp_path, passes)
    assert unmet(tmp_path, passes) == []
    first = trial_folder(tmp_path, passes.trials[0])
    done = first.state()
    first.write_state("COMPLETED", images=done.images - 8, seconds=1.0, passes=done.passes)
    (compute, as_counted) = unmet(tmp_path, passes)
    assert "GFLOP of training" in compute and as_counted == "passes per image as counted in the plan"
    row = check_parity(tmp_path, passes).trials[0]
    assert row.gflop == pytest.approx(row.images * passes.budget.gflop_per_image[row.arm])


@pytest.mark.parametrize(
    ("rows", "is_met"), [((1.0, 2.4, 2.6), True), ((1.0, 2.0, 2.4), False), ((1.0, 2.6, 2.7), False), ((1.0, 2.4, 3.0), False)]
)
def test_seconds_that_were_not_spent_or_overspent_are_seen(
    seconds: Plan, tmp_path: Path, rows: tuple[float, ...], is_met: bool
) -> None:
    finish(tmp_path, seconds)
    folder = trial_folder(tmp_path, seconds.trials[1])
    folder.forget_rows_after(0)
    for i, value in enumerate(rows):
        folder.append_row(MetricsRow(8 * (i + 1), value, 0.0, {}))
    assert unmet(tmp_path, seconds) == (
        [] if is_met else ["2.5 s of training, to the first report after that and at most 10% more"]
    )


def test_the_summary_says_what_was_equalised_and_how_far_runs_came(passes: Plan, seconds: Plan, tmp_path: Path) -> None:
    finish(tmp_path / "seconds", seconds)
    study = summarise_study(tmp_path / "seconds", seconds).study
    assert study.budget.kind == "seconds"
    assert study.budget.amount == "2.5 s of training (24 to 80 images reached)"
    assert study.images == 80
    study = summarise_study(tmp_path / "flops", passes).study
    assert study.budget.amount.endswith(f"GFLOP of training (32 to {max(t.config.images for t in passes.trials)} images)")
