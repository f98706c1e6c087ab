"""Rates and fixed seconds that are found in a study's folder, and those that follow by GFLOP."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from facegan.config import Config
from facegan.errors import UserError
from facegan.study.cost.estimate import arm_configs
from facegan.study.cost.rates import ASSUMED_SECONDS, Rates, rates_of_study
from facegan.study.cost.timing import Timing, read_timing, write_timing
from facegan.study.design.plan import Plan
from facegan.study.folder.trial_folder import MetricsRow, trial_folder
from tests.facegan.study.cost.test_schedule import plan
from tests.facegan.study.search.planted_search import candidates_plan, planted_search
from tests.known import known


def train(study: Path, of: Plan, rates: dict[str, float], start: float, checkpoint: float, scoring: float) -> None:
    """Write the folders that runs of these speeds and pauses would leave: 32 images, a row every 8, a checkpoint every 16."""
    for number, trial in enumerate(of.trials):
        folder, began = trial_folder(study, trial), 1000.0 * number
        folder.path.mkdir(parents=True)
        clock = began + start
        for images in (8, 16, 24, 32):
            clock += 8 / rates[trial.arm]
            at_checkpoint = images % 16 == 0
            metrics = {"loss/pixel": 1.0, **({"validation/face_error": 2.0} if at_checkpoint else {})}
            folder.append_row(MetricsRow(images, images / rates[trial.arm], clock, metrics))
            clock += checkpoint if at_checkpoint else 0.0
        seconds = 32 / rates[trial.arm]
        folder.write_state("COMPLETED", images=32, seconds=seconds, passes={})
        folder.write_conditions(device="NVIDIA L4")
        write_timing(folder, began, clock + scoring - began)


@pytest.fixture
def trained(tiny: Config, tmp_path: Path) -> Plan:
    study = plan(tiny.override({"images": 32, "checkpoint_every": 16, "report_every": 8}), "no_pixel", "full", seeds=(0, 1))
    train(tmp_path, study, {"no_pixel": 4.0, "full": 2.0}, start=3.0, checkpoint=1.5, scoring=7.0)
    return study


def test_rates_and_pauses_of_a_study_are_found(trained: Plan, tmp_path: Path) -> None:
    found = known(rates_of_study(trained, tmp_path, arm_configs(trained)))
    assert found.images_per_second == pytest.approx({"no_pixel": 4.0, "full": 2.0})
    assert found.device == "NVIDIA L4"
    fixed = found.fixed
    assert (fixed.start, fixed.checkpoint, fixed.scoring) == pytest.approx((3.0, 1.5, 7.0))


def test_without_timings_the_rest_is_assumed(trained: Plan, tmp_path: Path) -> None:
    """As in a study that was made before they were written."""
    for trial in trained.trials:
        (trial_folder(tmp_path, trial).path / "timing.json").unlink()
    fixed = known(rates_of_study(trained, tmp_path, arm_configs(trained))).fixed
    assert (fixed.start, fixed.checkpoint) == pytest.approx((ASSUMED_SECONDS.start, 1.5))
    assert "ASSUMED" in fixed.source and "checkpoints measured" in fixed.source


def test_time_between_two_jobs_is_no_pause(trained: Plan, tmp_path: Path) -> None:
    """A trial that was interrupted at its checkpoint goes on hours later, or after its machine's clock was set back."""
    for trial, hours in zip(trained.trials, (5.0, -5.0, 0.0, 0.0), strict=True):
        folder = trial_folder(tmp_path, trial)
        rows = folder.rows()
        (folder.path / "metrics.jsonl").unlink()
        for row in rows:
            folder.append_row(replace(row, time=row.time + (3600 * hours if row.images > 16 else 0.0)))
        if hours:
            (folder.path / "timing.json").unlink()
    fixed = known(rates_of_study(trained, tmp_path, arm_configs(trained))).fixed
    assert (fixed.start, fixed.checkpoint, fixed.scoring) == pytest.approx((3.0, 1.5, 7.0))


def test_a_study_of_other_lengths_and_weights_has_the_same_rates_and_one_of_other_networks_none(
    trained: Plan, tiny: Config, tmp_path: Path
) -> None:
    longer = plan(tiny.override({"images": 64, "loss.pixel": 3.0, "seed": 0, "checkpoint_every": 32}), "no_pixel", "full")
    assert known(rates_of_study(trained, tmp_path, arm_configs(longer))).images_per_second["full"] == pytest.approx(2.0)
    wider = plan(tiny.override({"model.generator_width": 8}), "full")
    assert rates_of_study(trained, tmp_path, arm_configs(wider)) is None
    other_arm = plan(tiny, "no_feature", "full")
    assert list(known(rates_of_study(trained, tmp_path, arm_configs(other_arm))).images_per_second) == ["full"]


def test_candidates_of_a_search_show_the_rate_of_their_arm(tiny: Config, tmp_path: Path) -> None:
    """Their checkpoints are at the rungs, which the arm as configured does not have."""
    search = planted_search(tmp_path, tiny.override({"optim.generator_lr": 1e-3}))
    found = known(rates_of_study(search, tmp_path, arm_configs(search)))
    assert found.images_per_second == pytest.approx({"full": (3 * 216 + 24) / 8.0, "no_pixel": (216 + 2 * 24) / 8.0})


def test_candidates_show_neither_scoring_nor_checkpoints_at_which_they_wait(tiny: Config, tmp_path: Path) -> None:
    search = candidates_plan(tiny, "full", candidates=2)
    train(tmp_path, search, {"full": 4.0}, start=6.0, checkpoint=264.0, scoring=0.0)
    fixed = known(rates_of_study(search, tmp_path, arm_configs(search))).fixed
    assumed = (ASSUMED_SECONDS.checkpoint, ASSUMED_SECONDS.scoring)
    assert (fixed.start, fixed.checkpoint, fixed.scoring) == pytest.approx((6.0, *assumed))
    assert fixed.assumed and fixed.source.startswith("starts measured in")


def test_an_untrained_study_has_no_rates(trained: Plan, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "trials")
    assert rates_of_study(trained, tmp_path, arm_configs(trained)) is None


def test_arms_without_a_rate_follow_by_gflop() -> None:
    rates = Rates({"full": 10.0}, "cpu", "measured").scaled({"full": 100.0, "base": 25.0})
    assert rates.images_per_second == pytest.approx({"full": 10.0, "base": 40.0})
    assert "1 of 2 arms by GFLOP" in rates.source
    # The mean of GFLOP/s of those that are known.
    rates = Rates({"a": 10.0, "b": 30.0}, "cpu", "").scaled({"a": 100.0, "b": 100.0, "c": 50.0})
    assert rates.images_per_second["c"] == pytest.approx(40.0)
    assert Rates({}, "cpu", "").scaled({"full": 1.0}).images_per_second == {}


@pytest.mark.parametrize("broken", ["{", '{"started": 1, "seconds": -1, "trained_seconds": 0}', "[]"])
def test_a_damaged_timing_is_named(trained: Plan, tmp_path: Path, broken: str) -> None:
    folder = trial_folder(tmp_path, trained.trials[0])
    assert read_timing(folder) == Timing(0.0, 3.0 + 8.0 + 2 * 1.5 + 7.0, 8.0) or trained.trials[0].arm == "full"
    (folder.path / "timing.json").write_text(broken)
    with pytest.raises(UserError, match=r"timing\.json"):
        read_timing(folder)
