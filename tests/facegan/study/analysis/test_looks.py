"""The boundaries of a study that grows, against published ones and by simulation."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from facegan.study.analysis.looks import Look, nominal_levels, present_look
from facegan.study.design.analysis_plan import looks_until


def test_boundaries_equal_the_published_ones() -> None:
    """Five equal looks, two-sided 5 %, O'Brien-Fleming spending: the standard example of Lan and DeMets boundaries."""
    levels = nominal_levels((0.2, 0.4, 0.6, 0.8, 1.0), 0.05)
    assert stats.norm.isf(np.array(levels) / 2) == pytest.approx([4.877, 3.357, 2.680, 2.290, 2.031], abs=0.001)


def test_an_adjusted_p_is_5_percent_at_the_boundary_of_each_look() -> None:
    looks = looks_until(10)
    for seeds in (3, 6, 10):
        look = present_look(looks, seeds)
        assert look.left == 10 - seeds
        assert look.adjusted(look.nominal_level) == pytest.approx(0.05, rel=1e-3)
        assert look.adjusted(2 * look.nominal_level) > 0.05 > look.adjusted(look.nominal_level / 2)
        assert look.adjusted(0.9) >= 0.9
        for p in (1e-9, 1e-5, 0.003, 0.2):
            level = look.adjusted(p)
            reached = replace(look, level=level).nominal_level
            assert reached == pytest.approx(p, rel=5e-3), "p decides exactly at the level that it is adjusted to"
        # Below what can be computed, no p is adjusted to less than a larger one may be.
        assert look.adjusted(1e-14) == look.adjusted(1e-13) > look.adjusted(2e-12) / 5


def test_a_study_that_is_analysed_once_is_not_adjusted() -> None:
    assert present_look((), 7) == Look()
    assert Look().adjusted(0.03) == 0.03 and Look().nominal_level == pytest.approx(0.05)


def test_a_look_at_another_time_than_planned_counts_as_one_more() -> None:
    assert present_look((3, 6), 4) == Look((0.5, 4 / 6), 1)
    assert present_look((3, 6), 7) == Look((3 / 7, 6 / 7, 1.0), 0), "seeds beyond the last look were not planned"


def test_peeking_decides_falsely_and_planned_looks_do_not() -> None:
    """10,000 studies without an effect, of which each is analysed after every seed from the third to the tenth."""
    effects = np.random.default_rng(6).normal(0, 1, (10_000, 10))
    looks, peeking, planned = looks_until(10), np.zeros(10_000, bool), np.zeros(10_000, bool)
    for seeds in looks:
        seen = effects[:, :seeds]
        p = 2 * stats.t.sf(np.abs(seen.mean(axis=1)) / (seen.std(axis=1, ddof=1) / np.sqrt(seeds)), seeds - 1)
        peeking |= p < 0.05
        planned |= p < present_look(looks, seeds).nominal_level
    print(f"\nfalse decisions: peeking {peeking.mean():.3f}, planned looks {planned.mean():.3f}")
    assert peeking.mean() > 0.13
    assert planned.mean() <= 0.05
