"""Variance components: planted ones are recovered, and each kind of scatter ends in its own part."""

import numpy as np
import pytest

from facegan.study.analysis.effect_records import VarianceComponents
from facegan.study.analysis.runs import table_of_runs
from facegan.study.analysis.variance_components import variance_components
from tests.facegan.study.planted import SQUARE, Floats, runs_of
from tests.known import known

PARTS = ("seeds", "runs", "people", "people_by_arm", "rest")


def scores(rng: np.random.Generator, sizes: dict[str, float], seeds: int = 3, people: int = 10) -> Floats:
    """[runs, people] scores of four arms whose parts have the variances `sizes`; runs as `runs_of` wants them, seed by seed."""

    def drawn(name: str, *shape: int) -> Floats:
        return np.asarray(np.sqrt(sizes.get(name, 0.0)) * rng.normal(size=shape))

    arms = len(SQUARE)
    values = np.array([0.0, 5.0, -3.0, 1.0])[:, None] + drawn("seeds", seeds, 1, 1) + drawn("runs", seeds, arms, 1)
    values = values + drawn("people", 1, 1, people) + drawn("people_by_arm", 1, arms, people)
    values = values + drawn("rest", seeds, arms, people) + drawn("seeds_by_people", seeds, 1, people)
    return values.reshape(seeds * arms, people)


def components(values: Floats, seeds: int = 3) -> VarianceComponents:
    return known(variance_components(table_of_runs(runs_of(SQUARE, range(seeds), values))))


def test_planted_variances_are_recovered_on_average() -> None:
    rng = np.random.default_rng(0)
    sizes = {"seeds": 40.0, "runs": 4.0, "people": 25.0, "people_by_arm": 9.0, "seeds_by_people": 2.0, "rest": 1.0}
    found = [components(scores(rng, sizes)) for _ in range(150)]
    means = {name: np.mean([getattr(one, name) for one in found]) for name in PARTS}
    expected = {"seeds": 40.0, "runs": 4.0, "people": 25.0, "people_by_arm": 9.0, "rest": 3.0}
    assert means == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("name", PARTS)
def test_each_kind_of_scatter_is_its_own_part(name: str) -> None:
    # Many seeds and people, so that a mean square is close to what it estimates.
    shares = components(scores(np.random.default_rng(1), {"rest": 0.01, name: 4.0}, seeds=60, people=60), seeds=60).shares
    assert set(shares) == set(PARTS) and sum(shares.values()) == pytest.approx(1)
    assert shares[name] > 0.9


def test_a_missing_run_or_a_single_seed_gives_no_components() -> None:
    values = scores(np.random.default_rng(2), {"rest": 1.0})
    assert variance_components(table_of_runs(runs_of(SQUARE, range(3), values, absent=(5,)))) is None
    assert variance_components(table_of_runs(runs_of(SQUARE, range(1), values[:4]))) is None
    assert variance_components(table_of_runs([])) is None


def test_scores_without_scatter_have_no_shares() -> None:
    assert components(np.ones((12, 10))).shares == {}
