"""Missing runs, bounds on what they could change, and clips that not all runs were measured on."""

import itertools

import numpy as np
import pytest

from facegan.study.analysis.effect_records import MissingRun
from facegan.study.analysis.effects import analyse_metric
from facegan.study.analysis.runs import Run
from tests.facegan.study.planted import (
    METRIC,
    SQUARE,
    by_name,
    runs_of,
    simulate,
)


def test_missing_runs_are_listed_and_bound_the_effects() -> None:
    values = simulate(SQUARE, 3, {"a": 6, "b": 0.5}, np.random.default_rng(13), slope=0)
    absent = (2, 9)
    found = analyse_metric(METRIC, runs_of(SQUARE, (0, 1, 2), values, absent=absent), SQUARE)
    assert [(m.seed, m.state) for m in found.missing] == [(0, "DIVERGED"), (2, "DIVERGED")]
    observed = np.delete(values.mean(axis=1), absent)
    reach: dict[str, list[float]] = {name: [] for name in by_name(found)}
    for ends in itertools.product((observed.min(), observed.max()), repeat=2):
        whole = values.copy()
        whole[list(absent)] = np.array(ends)[:, None]
        for name, effect in by_name(analyse_metric(METRIC, runs_of(SQUARE, (0, 1, 2), whole), SQUARE)).items():
            reach[name].append(effect.estimate)
    for name, effect in by_name(found).items():
        assert effect.if_missing == pytest.approx([min(reach[name]), max(reach[name])])
        assert effect.sign_survives == (min(reach[name]) * max(reach[name]) > 0)
    assert {e.sign_survives for e in found.effects} == {True, False}
    whole_study = analyse_metric(METRIC, runs_of(SQUARE, (0, 1, 2), values), SQUARE)
    assert whole_study.missing == () and whole_study.effects[0].if_missing is None


def test_unmeasured_clips_are_left_out_and_barely_measured_runs_are_missing() -> None:
    values = simulate(SQUARE, 3, {"a": 1}, np.random.default_rng(15))
    given = runs_of(SQUARE, (0, 1, 2), values)
    given[1].clips["c03"] = None
    given[4] = Run(given[4].arm, 1, given[4].levels, "COMPLETED", {f"c{c:02d}": 9.0 if c < 5 else None for c in range(12)})
    found = analyse_metric("landmark_error", given, SQUARE)
    assert found.clips == 11 and found.clips_left_out == ("c03",)
    assert found.missing == (MissingRun(given[4].arm, 1, "COMPLETED", "measured on less than half of the clips"),)
    without = analyse_metric("landmark_error", runs_of(SQUARE, (0, 1, 2), np.delete(values, 3, axis=1), absent=(4,)), SQUARE)
    assert [e.estimate for e in found.effects] == pytest.approx([e.estimate for e in without.effects])


def test_the_only_run_of_a_seed_is_not_used() -> None:
    values = simulate(SQUARE, 3, {"a": 1}, np.random.default_rng(16))
    found = analyse_metric(METRIC, runs_of(SQUARE, (0, 1, 2), values, absent=(9, 10, 11)), SQUARE)
    two = analyse_metric(METRIC, runs_of(SQUARE, (0, 1), values[:8]), SQUARE)
    assert [e.estimate for e in found.effects] == [e.estimate for e in two.effects]
    assert found.missing[-1].reason.startswith("the only run of its seed")
    means = values.mean(axis=1)[:9]
    ends: list[list[float]] = []
    for filled in itertools.product((means.min(), means.max()), repeat=3):
        whole = np.append(means, filled)
        ends.append([np.mean(whole * [row[factor] for row in SQUARE * 3]) * 2 for factor in "ab"])
    for factor, reach in zip("ab", np.array(ends).T, strict=True):
        assert by_name(found)[factor].if_missing == pytest.approx([reach.min(), reach.max()])
