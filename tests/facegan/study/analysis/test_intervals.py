"""Two-way t intervals by hand, and the bootstrap by its definition."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from facegan.study.analysis.effects import analyse_metric, fit_table
from facegan.study.analysis.intervals import bootstrap, percentile_interval, resampling_counts
from facegan.study.analysis.runs import table_of_runs
from tests.facegan.study.planted import METRIC, SQUARE, by_name, runs_of, simulate
from tests.known import known


def test_two_by_two_design_by_hand() -> None:
    """Means with a on: 7 and 3, off: 4 and 2; with b on: 7 and 4, off: 3 and 2. Seeds add a constant to all arms."""
    arms = np.array([2.0, 4.0, 3.0, 7.0])
    values = np.concatenate([arms + shift for shift in (0, 10, -5)])[:, None] + np.array([[-1.0, 1.0]])
    values[0] += 1.2
    values[3] -= 1.2
    found = analyse_metric(METRIC, runs_of(SQUARE, (0, 1, 2), values), SQUARE)
    effects = by_name(found)
    assert [e.name for e in found.effects] == ["a", "b", "a x b"]
    # The first seed's changes are -1.2 in either main effect and 0 in the interaction; the mean over seeds has a third.
    assert effects["a"].estimate == pytest.approx(2 - 0.4)
    assert effects["b"].estimate == pytest.approx(3 - 0.4)
    assert effects["a x b"].estimate == pytest.approx(1)
    # Residuals are 1.2 x (1 - 1/3) in size at two opposite arms of the first seed, and 0.4 there in the other two seeds. The
    # seeds' own effects of a are 2 - 1.2, 2 and 2: a variance of 0.48.
    sigma = np.sqrt((2 * 0.8**2 + 4 * 0.4**2) / 6)
    assert found.degrees_of_freedom == 6
    assert found.sigma == pytest.approx(sigma)
    # Both clips have equal effects, so that only the noise of the runs is left.
    assert effects["a"].standard_error == pytest.approx(np.sqrt(0.48 / 3))
    assert effects["a"].degrees_of_freedom == pytest.approx(2)
    reach = stats.t.ppf(0.975, 2) * np.sqrt(0.48 / 3)
    assert effects["a"].interval == pytest.approx([1.6 - reach, 1.6 + reach])
    reach = stats.t.ppf(0.975, 6) * 2 * sigma / np.sqrt(12)
    assert known(effects["a"].pooled).interval == pytest.approx([1.6 - reach, 1.6 + reach])
    assert effects["a"].helps is True
    assert by_name(analyse_metric("face_error", runs_of(SQUARE, (0, 1, 2), values), SQUARE))["a"].helps is False


def test_clips_that_disagree_widen_the_interval() -> None:
    rng = np.random.default_rng(3)
    values = simulate(SQUARE, 3, {"a": 1, "b": 1, "a x b": 0}, rng)
    effect = by_name(analyse_metric(METRIC, runs_of(SQUARE, (0, 1, 2), values), SQUARE))["a"]
    signs = np.array([row["a"] for row in SQUARE] * 3)
    per_clip = (values * signs[:, None]).sum(axis=0) / 6
    per_seed = (values.mean(axis=1) * signs).reshape(3, 4).sum(axis=1) / 2
    clip, run = per_clip.var(ddof=1) / 12, per_seed.var(ddof=1) / 3
    assert effect.standard_error == pytest.approx(np.sqrt(clip + run))
    assert effect.degrees_of_freedom == pytest.approx(2)
    for p, edge in ((0.05, known(effect.interval)[1] - effect.estimate), (known(effect.p), abs(effect.estimate))):
        assert edge == pytest.approx(np.sqrt(stats.t.isf(p / 2, 11) ** 2 * clip + stats.t.isf(p / 2, 2) ** 2 * run))


def test_bootstrap_resamples_the_same_seeds_and_clips_for_all_arms() -> None:
    """Variation that all arms share does not widen the interval; that of a single arm does."""
    rng = np.random.default_rng(17)
    values = simulate(SQUARE, 3, {"a": 1}, rng)
    shared = values + rng.normal(0, 50, (1, 12)) + np.repeat(rng.normal(0, 50, (3, 1)), 4, axis=0)
    one, other = (by_name(analyse_metric(METRIC, runs_of(SQUARE, (0, 1, 2), v), SQUARE))["a"] for v in (values, shared))
    assert one.bootstrap == pytest.approx(other.bootstrap)
    assert one.interval == pytest.approx(other.interval)
    uneven = values + np.where(np.arange(12) % 4 == 3, 50, 0)[:, None] * np.repeat([-1, 0, 1], 4)[:, None]
    wide = by_name(analyse_metric(METRIC, runs_of(SQUARE, (0, 1, 2), uneven), SQUARE))["a"]
    assert np.ptp(known(wide.bootstrap)) > 5 * np.ptp(known(one.bootstrap))


def test_bootstrap_equals_refits_of_resampled_blocks_and_clips() -> None:
    """A block that is drawn twice enters the refit as two blocks."""
    values = simulate(SQUARE, 4, {"a": 1}, np.random.default_rng(18))
    table = table_of_runs(runs_of(SQUARE, range(4), values, absent=(2,)))
    fitted = fit_table(table, SQUARE)[1]
    assert fitted is not None
    found, (seeds, clips) = bootstrap(fitted), resampling_counts(4, 12)
    runs = pd.DataFrame(SQUARE * 4).assign(seed=np.repeat(range(4), 4), place=range(16)).drop(2)
    for drawn_often, share in ((seeds / 4, 1 / 4), (clips, 1 / 12)):
        assert drawn_often.sum(axis=1) == pytest.approx(1)
        assert drawn_often.var(axis=0) == pytest.approx(share**2 * (1 - share), rel=0.15)
    whole = [i for i in range(len(seeds)) if seeds[i, 0] < 4]  # the first seed alone lacks an arm
    assert len(found) == len(whole) < len(seeds)
    for row, i in list(zip(found, whole, strict=True))[:60]:
        drawn = pd.concat([runs[runs.seed == s].assign(block=f"{s} {n}") for s in range(4) for n in range(int(seeds[i, s]))])
        x = np.column_stack([drawn[["a", "b"]], drawn.a * drawn.b, pd.get_dummies(drawn.block)]).astype(float)
        expected = 2 * np.linalg.lstsq(x, values[drawn.place] @ clips[i], rcond=None)[0][:3]
        assert row == pytest.approx(expected)
    assert percentile_interval(found[:, 0]) == pytest.approx(np.quantile(found[:, 0], [0.025, 0.975]))
