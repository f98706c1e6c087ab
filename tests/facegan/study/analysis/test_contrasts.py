"""Leave-one-out contrasts against the averaged effects, pairing by seed, and the noise of each arm."""

import itertools

import numpy as np
import pytest
from scipy import stats

from facegan.study.analysis.contrasts import noise_by_arm
from facegan.study.analysis.effects import analyse_metric
from facegan.study.analysis.runs import table_of_runs
from facegan.study.design.two_level import factorial, leave_one_out
from tests.facegan.study.planted import (
    METRIC,
    SQUARE,
    by_name,
    runs_of,
    simulate,
)
from tests.known import known


@pytest.mark.parametrize("k", [2, 3, 4])
def test_leave_one_out_equals_the_main_effect_plus_all_its_interactions(k: int) -> None:
    """A property of full factorial designs; interactions of three and more factors are summed up as higher order."""
    rows, rng = factorial("abcd"[:k]), np.random.default_rng(k)
    means = rng.normal(size=len(rows))
    values = np.tile(means, 3)[:, None] + rng.normal(size=(3, 1)).repeat(len(rows), axis=0) + rng.normal(size=(1, 5))
    found = analyse_metric(METRIC, runs_of(rows, (0, 1, 2), values), rows)
    effects = {n: e.estimate for n, e in by_name(found).items()}
    signs = np.array([[row[f] for f in row] for row in rows])
    for i, entry in enumerate(found.leave_one_out):
        name = entry.factor
        off = next(j for j, row in enumerate(rows) if all((level == -1) == (f == name) for f, level in row.items()))
        assert entry.estimate == pytest.approx(means[-1] - means[off])
        assert entry.averaged == effects[name]
        pairs = {e.name: e.estimate for e in entry.explained_by}
        assert pairs == {n: v for n, v in effects.items() if name in n.split(" x ") and n.count(" x ") == 1}
        assert len(pairs) == k - 1
        higher = [w for length in range(3, k + 1) for w in itertools.combinations(range(k), length) if i in w]
        expected = sum(2 * np.mean(means * signs[:, w].prod(axis=1)) for w in map(list, higher))
        assert entry.higher_order == pytest.approx(expected)
        assert known(entry.averaged) + sum(pairs.values()) + known(entry.higher_order) == pytest.approx(entry.estimate)


def test_leave_one_out_is_paired_by_seed() -> None:
    rng, rows = np.random.default_rng(7), leave_one_out(["a", "b", "c"])
    values = simulate(rows, 4, {"a": 1, "b": 0, "c": 0}, rng, slope=0)
    values[0] = np.nan  # a is off in the first seed: that run is missing
    entry = analyse_metric(METRIC, runs_of(rows, range(4), values, absent=(0,)), rows).leave_one_out[0]
    differences = values[[7, 11, 15]] - values[[4, 8, 12]]
    assert entry.seeds == 3 and entry.estimate == pytest.approx(differences.mean())
    clip, run = differences.mean(axis=0).var(ddof=1) / 12, differences.mean(axis=1).var(ddof=1) / 3
    assert known(entry.standard_error) ** 2 == pytest.approx(clip + run)
    reach = np.sqrt(stats.t.isf(0.025, 11) ** 2 * clip + stats.t.isf(0.025, 2) ** 2 * run)
    assert known(entry.interval)[1] == pytest.approx(known(entry.estimate) + reach)
    assert entry.averaged is None and entry.explained_by == ()


def test_noise_of_each_arm_is_separated_from_that_of_the_seeds() -> None:
    """Planted standard deviations of 1, 2, 3 and 4, in 400 seeds that shift all arms by more than that."""
    rng = np.random.default_rng(23)
    values = rng.normal(0, 5, (400, 1)) + rng.normal(0, 1, (400, 4)) * [1, 2, 3, 4]
    noise = noise_by_arm(table_of_runs(runs_of(SQUARE, range(400), np.repeat(values.reshape(-1, 1), 2, axis=1))))
    assert list(noise.values()) == pytest.approx([1, 2, 3, 4], rel=0.25)
    assert noise_by_arm(table_of_runs(runs_of(SQUARE, (0, 1), np.ones((8, 2)), absent=(3,)))) == {}


def test_a_noisy_arm_is_named_and_does_not_widen_contrasts_of_other_arms() -> None:
    values = simulate(SQUARE, 4, {"a": 1}, np.random.default_rng(22), slope=0, run=0.1)
    calm = analyse_metric(METRIC, runs_of(SQUARE, range(4), values), SQUARE)
    values[::4] += np.array([-30, 10, 40, -20])[:, None]
    wild = analyse_metric(METRIC, runs_of(SQUARE, range(4), values), SQUARE)
    assert "noisy" not in calm.inference
    assert "arm a-1b-1 is over 5 times as noisy as the others" in wild.inference
    assert max(wild.noise_by_arm, key=lambda arm: wild.noise_by_arm[arm]) == "a-1b-1"
    for before, after in zip(calm.leave_one_out, wild.leave_one_out, strict=True):
        assert after.interval == before.interval, "leave-one-out contrasts do not use the base"
