"""The gradient diagnostics of arms: means over seeds, and the spread in the last quarter of training."""

from pathlib import Path

import pytest

from facegan.config import Config
from facegan.study.analysis.gradients import LastQuarter, Spread, gradients_of_arms
from tests.facegan.study.planted_gradients import gradients_study, row


def test_the_last_quarter_is_the_mean_over_seeds_with_their_range(tiny: Config, tmp_path: Path) -> None:
    early = {8: row(0.9, 1.0), 24: row(0.9, 1.0)}
    seeds = [{**early, 28: row(0.2, -0.4), 32: row(0.4, -0.8)}, {**early, 28: row(0.5, 0.0), 32: row(0.7, 0.0)}]
    plan = gradients_study(tmp_path, tiny, {"full": seeds})
    found = gradients_of_arms(tmp_path, plan)
    assert list(found) == ["full"]
    assert found["full"].images == (8, 24, 28, 32)
    assert found["full"].share["pixel"] == pytest.approx((0.9, 0.9, 0.35, 0.55))
    assert found["full"].cosine["pixel~identity"] == pytest.approx((1.0, 1.0, -0.2, -0.4))
    late = found["full"].last_quarter
    assert (late.seeds, late.measurements) == (2, 2)
    assert_equal(late.share["pixel"], Spread(0.45, 0.3, 0.6))
    assert_equal(late.cosine["pixel~identity"], Spread(-0.3, -0.6, 0.0))


def test_the_range_of_one_seed_is_that_of_its_measurements(tiny: Config, tmp_path: Path) -> None:
    plan = gradients_study(tmp_path, tiny, {"full": [{8: row(0.9, 1.0), 28: row(0.2, -0.4), 32: row(0.4, -0.8)}]})
    late = gradients_of_arms(tmp_path, plan)["full"].last_quarter
    assert (late.seeds, late.measurements) == (1, 2)
    assert_equal(late.cosine["pixel~identity"], Spread(-0.6, -0.8, -0.4))


def test_a_seed_that_is_behind_says_nothing_about_the_last_quarter(tiny: Config, tmp_path: Path) -> None:
    behind = {8: row(0.9, 1.0)}
    plan = gradients_study(tmp_path, tiny, {"full": [behind, {8: row(0.5, 0.0), 28: row(0.2, -0.4), 32: row(0.4, -0.8)}]})
    late = gradients_of_arms(tmp_path, plan)["full"].last_quarter
    assert (late.seeds, late.measurements) == (1, 2)
    assert_equal(late.share["pixel"], Spread(0.3, 0.2, 0.4))


def test_an_arm_without_diagnostics_is_left_out(tiny: Config, tmp_path: Path) -> None:
    plan = gradients_study(tmp_path, tiny, {"full": [{8: row(0.5, 0.0)}], "no_pixel": [{8: {}}]})
    assert list(gradients_of_arms(tmp_path, plan)) == ["full"]


def test_a_single_term_has_no_cosine(tiny: Config, tmp_path: Path) -> None:
    plan = gradients_study(tmp_path, tiny, {"full": [{8: {"share/pixel": 1.0}}]})
    assert gradients_of_arms(tmp_path, plan)["full"].last_quarter == LastQuarter(1, 1, {"pixel": Spread(1, 1, 1)}, {})


def assert_equal(found: Spread, expected: Spread) -> None:
    assert (found.mean, found.lowest, found.highest) == pytest.approx((expected.mean, expected.lowest, expected.highest))
