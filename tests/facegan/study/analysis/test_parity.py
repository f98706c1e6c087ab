"""Parity: conditions that differ between arms are reported."""

from pathlib import Path

import pytest
import torch

from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.study.analysis.parity import check_parity
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import Plan, make_plan
from facegan.study.folder.trial_folder import MetricsRow, trial_folder
from facegan.training.memory import peak_memory_bytes, reset_peak_memory
from facegan.training.start_conditions import batches_hash, start_conditions
from facegan.training.state import new_state
from tests.facegan.study.budgets import finish_all
from tests.planning import PLANNED_DATA

CPU = torch.device("cpu")


@pytest.fixture
def plan(tiny: Config) -> Plan:
    arms = choose_design("figure2", Config(), names=("full", "no_pixel")).arms
    return make_plan(tiny, arms, design="figure2", preset="demo", seeds=(0, 1), data=PLANNED_DATA, commit="")


def test_arms_of_a_seed_start_equally_and_seeds_differ(plan: Plan, data: FaceData) -> None:
    found = {(t.arm, t.seed): start_conditions(new_state(t.config, CPU), data) for t in plan.trials}
    assert found["full", 0] == found["no_pixel", 0]
    assert found["full", 0]["start_weights"] != found["full", 1]["start_weights"]
    assert found["full", 0]["first_batches"] != found["full", 1]["first_batches"]
    smaller = plan.trials[0].config.override({"optim.batch": 2})
    assert batches_hash(data, smaller) != found["full", 0]["first_batches"]


def demands(study: Path, plan: Plan) -> dict[str, bool | None]:
    return {row.demand: row.met for row in check_parity(study, plan).demands}


def test_a_trial_with_other_batches_or_images_is_reported(plan: Plan, tmp_path: Path) -> None:
    assert set(demands(tmp_path, plan).values()) == {None}
    for trial in plan.trials:
        folder = trial_folder(tmp_path, trial)
        folder.write_state("COMPLETED", images=32, seconds=1.0, passes={"generator": 128, "discriminator": 96, "vgg": 64})
        folder.write_conditions(start_weights=f"w{trial.seed}", first_batches=f"b{trial.seed}", device="cpu")
    assert set(demands(tmp_path, plan).values()) == {True}
    odd = trial_folder(tmp_path, plan.trials[0])
    odd.write_conditions(first_batches="others")
    odd.write_state("COMPLETED", images=16, seconds=1.0, passes={"generator": 128})
    found = demands(tmp_path, plan)
    unmet = [demand for demand, met in found.items() if not met]
    assert unmet == ["equal first 100 batches in all arms of a seed", "equal images"]
    rows = check_parity(tmp_path, plan).trials
    assert (rows[1].generator_passes, rows[1].vgg_passes, rows[1].peak_memory_bytes) == (128, 64, None)


def unmet(root: Path, found: Plan) -> list[str]:
    return [row.demand for row in check_parity(root, found).demands if not row.met]


@pytest.mark.slow
def test_unequal_compute_is_reported(flops_plan: Plan, tmp_path: Path) -> None:
    finish_all(tmp_path, flops_plan)
    assert unmet(tmp_path, flops_plan) == []
    first = trial_folder(tmp_path, flops_plan.trials[0])
    done = first.state()
    first.write_state("COMPLETED", images=done.images - 8, seconds=1.0, passes=done.passes)
    (compute, as_counted) = unmet(tmp_path, flops_plan)
    assert "GFLOP of training" in compute and as_counted == "passes per image as counted in the plan"
    row = check_parity(tmp_path, flops_plan).trials[0]
    assert row.gflop == pytest.approx(row.images * flops_plan.budget.gflop_per_image[row.arm])


@pytest.mark.parametrize(
    ("rows", "is_met"), [((1.0, 2.4, 2.6), True), ((1.0, 2.0, 2.4), False), ((1.0, 2.6, 2.7), False), ((1.0, 2.4, 3.0), False)]
)
def test_unspent_and_overspent_seconds_are_reported(
    seconds_plan: Plan, tmp_path: Path, rows: tuple[float, ...], is_met: bool
) -> None:
    finish_all(tmp_path, seconds_plan)
    folder = trial_folder(tmp_path, seconds_plan.trials[1])
    folder.forget_rows_after(0)
    for i, value in enumerate(rows):
        folder.append_row(MetricsRow(8 * (i + 1), value, 0.0, {}))
    assert unmet(tmp_path, seconds_plan) == (
        [] if is_met else ["2.5 s of training, to the first report after that and at most 10% more"]
    )


def test_peak_memory_is_that_of_the_trial_and_not_of_an_earlier_one() -> None:
    large = torch.ones(64 * 2**20)
    before = peak_memory_bytes(CPU)
    assert before is not None
    del large
    reset_peak_memory(CPU)
    after = peak_memory_bytes(CPU)
    assert after is not None
    assert after < before - 200 * 2**20
