"""The analysis of a study: families of tests, incomplete studies, and the choice of headline metrics."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from facegan.metrics.table import HEADLINES
from facegan.study.analysis.effects import analyse_metric, analyse_study, choose_headlines
from facegan.study.analysis.runs import Run
from facegan.study.conclusions.answers import answer_factors
from facegan.study.design.two_level import factorial
from tests.facegan.study.planted import (
    LANDMARK_AUC,
    LANDMARK_ERROR,
    METRIC,
    SQUARE,
    SQUARE_ARMS,
    Floats,
    runs_of,
    simulate,
)
from tests.known import known


def test_holm_adjusts_over_all_effects_of_all_headline_metrics() -> None:
    rng = np.random.default_rng(4)
    tables = {m: simulate(SQUARE, 3, {"a": 3, "b": 1, "a x b": 0}, rng) for m in HEADLINES}
    found = analyse_study({m: runs_of(SQUARE, (0, 1, 2), v) for m, v in tables.items()}, SQUARE)
    assert found.family.effects == ("a", "b", "a x b") and found.family.tests == 12
    effects = [effect for m in HEADLINES for effect in found.metrics[m].effects]
    p = np.array([effect.p for effect in effects])
    assert [e.p_holm for e in effects] == pytest.approx(multipletests(p, method="holm")[1])
    assert effects[int(p.argmin())].p_holm == pytest.approx(min(1, 12 * p.min()))


def test_the_family_of_tests_includes_a_metric_that_is_not_measured() -> None:
    values = simulate(SQUARE, 3, {"a": 5, "b": 1, "a x b": 0}, np.random.default_rng(5))
    given = {m: runs_of(SQUARE, (0, 1, 2), values, absent=range(12) if m != METRIC else ()) for m in HEADLINES}
    found = analyse_study(given, SQUARE)
    smallest = min(found.metrics[METRIC].effects, key=lambda effect: known(effect.p))
    assert smallest.p_holm == pytest.approx(min(1, 12 * known(smallest.p)))
    assert found.metrics["face_error"].effects == ()
    assert "no two runs of one seed" in found.metrics["face_error"].not_estimable[0].reason


def test_one_seed_decides_nothing_whatever_its_runs_show() -> None:
    """A factorial of one seed has residual noise, and a huge effect, but no other seed."""
    rows = factorial("abc")
    values = np.array([[10.0 * row["a"] + clip / 100 + i / 1000 for clip in range(6)] for i, row in enumerate(rows)])
    rows4 = factorial("abcd")
    more = np.concatenate([values, values + 0.001])
    for arms, table in ((rows, values), (rows4, more)):
        found = analyse_metric(METRIC, runs_of(arms, (0,), table), arms)
        assert "one seed: its runs do not show how other seeds would differ" in found.inference
        assert all(e.interval is None and e.p is None and e.detectable is None for e in found.effects)
    assert any(e.pooled for e in found.effects), "shown for comparison"
    study = analyse_study({m: runs_of(rows4, (0,), more) for m in HEADLINES}, rows4)
    assert {row.answer for row in answer_factors(study)} == {"too few runs"}


def test_two_seeds_give_wide_intervals_and_missing_runs_leave_the_spread_of_whole_seeds() -> None:
    values = simulate(SQUARE, 3, {"a": 1, "b": 1}, np.random.default_rng(11))
    two = analyse_metric(METRIC, runs_of(SQUARE, (0, 1), values[:8]), SQUARE)
    assert two.effects[0].interval is not None and two.effects[0].degrees_of_freedom == pytest.approx(1)
    short = analyse_metric(METRIC, runs_of(SQUARE, (0, 1), values[:8], absent=(5, 6)), SQUARE)
    assert "too few whole seeds among 2" in short.inference
    assert short.effects[0].bootstrap is not None
    assert all(effect.interval is None for effect in short.effects)
    three = analyse_metric(METRIC, runs_of(SQUARE, (0, 1, 2), values, absent=(6,)), SQUARE)
    assert 1 <= known(three.effects[0].degrees_of_freedom) < 2


def test_every_prefix_of_a_study_lists_all_effects_as_estimated_or_not_estimable() -> None:
    rows, rng = factorial("abc"), np.random.default_rng(14)
    values = simulate(rows, 2, {"a": 1, "b": 1}, rng, clips=4)
    for count in range(17):
        found = analyse_metric(METRIC, runs_of(rows, (0, 1), values, absent=range(count, 16), state="PENDING"), rows)
        json.dumps(asdict(found), allow_nan=False)
        named = {w for e in found.effects for w in map(tuple, e.members)}
        listed = {" x ".join(w) for w in named} | {e.name.removesuffix(" (if no interactions)") for e in found.not_estimable}
        assert listed >= {"a", "b", "c", "a x b", "a x c", "b x c"}, count
        assert found.runs + len(found.missing) == 16
    early = analyse_metric(METRIC, runs_of(rows, (0, 1), values, absent=range(4, 16), state="PENDING"), rows)
    assert {e.name: e.reason for e in early.not_estimable}["a (if no interactions)"].startswith("a was only off")
    assert [e.name for e in early.effects] == ["b (if no interactions)", "c (if no interactions)"]
    assert {e.name: e.reason for e in early.not_estimable}["a x b"].startswith("the runs so far")


def faceless(values: Floats, arm: int, found: int) -> list[Run]:
    """Runs in which one arm has a face on the first `found` clips only."""
    runs = runs_of(SQUARE, (0, 1, 2), values)
    return [
        Run(
            r.arm,
            r.seed,
            r.levels,
            r.state,
            {c: v if i % 4 != arm or n < found else None for n, (c, v) in enumerate(r.clips.items())},
        )
        for i, r in enumerate(runs)
    ]


def test_landmark_area_replaces_the_landmark_error_where_an_arm_shows_no_face() -> None:
    values = simulate(SQUARE, 3, {"a": 3, "b": 1, "a x b": 0}, np.random.default_rng(12))
    given = {m: runs_of(SQUARE, (0, 1, 2), values) for m in (*HEADLINES, LANDMARK_AUC)} | {
        LANDMARK_ERROR: faceless(values, 1, 0)
    }
    broken = analyse_metric(LANDMARK_ERROR, given[LANDMARK_ERROR], SQUARE)
    assert all("if no interactions" in effect.name for effect in broken.effects)
    found = analyse_study(given, SQUARE)
    assert tuple(found.metrics) == found.family.metrics == ("target_following", METRIC, "face_error", LANDMARK_AUC)
    assert [e.name for e in found.metrics[LANDMARK_AUC].effects] == ["a", "b", "a x b"]
    assert found.metrics[LANDMARK_AUC].better == "more"
    names = ", ".join(f"{SQUARE_ARMS[1]} (seed {seed})" for seed in (0, 1, 2))
    assert f"no value on most clips in {names}, because no face was found there" in found.replaced
    sentence = next(row.sentence for row in answer_factors(found) if row.metric == LANDMARK_AUC)
    assert "changes landmark area up to 0.08 (no face counts as failure) by" in sentence


def test_landmark_error_is_analysed_where_every_run_shows_faces() -> None:
    values = simulate(SQUARE, 3, {"a": 3, "b": 1, "a x b": 0}, np.random.default_rng(12))
    given = {m: runs_of(SQUARE, (0, 1, 2), values) for m in (*HEADLINES, LANDMARK_AUC)}
    assert choose_headlines(given) == (HEADLINES, "")
    # A face on half of the clips is enough, on fewer it is not.
    assert choose_headlines(given | {LANDMARK_ERROR: faceless(values, 1, 6)})[0] == HEADLINES
    assert LANDMARK_AUC in choose_headlines(given | {LANDMARK_ERROR: faceless(values, 1, 5)})[0]
    # Without scores of the area, the landmark error stays.
    without_area = given | {
        LANDMARK_ERROR: faceless(values, 1, 0),
        LANDMARK_AUC: [Run(r.arm, r.seed, r.levels, r.state, {}) for r in given[METRIC]],
    }
    assert choose_headlines(without_area) == (HEADLINES, "")
