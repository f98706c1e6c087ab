"""Ranks and hypervolume against definitions that take longer."""

import itertools

import numpy as np
import pytest

from facegan.study.search.pareto import hypervolume, non_dominated_ranks


def points(rng: np.random.Generator, count: int, objectives: int) -> list[tuple[float, ...]]:
    return [tuple(row) for row in rng.integers(0, 5, (count, objectives)) / 5]


def test_ranks_are_the_length_of_the_longest_chain_of_better_points() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        found = points(rng, 8, 3)
        ranks = non_dominated_ranks(found)
        better = [
            [j for j in range(8) if all(a <= b for a, b in zip(found[j], found[i], strict=True)) and found[j] != found[i]]
            for i in range(8)
        ]
        for i in range(8):
            assert ranks[i] == max((ranks[j] + 1 for j in better[i]), default=0)


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_hypervolume_is_the_number_of_cells_that_are_dominated(objectives: int) -> None:
    rng = np.random.default_rng(objectives)
    for _ in range(20):
        found = points(rng, 6, objectives)
        cells = itertools.product(np.arange(5) / 5, repeat=objectives)
        covered = sum(any(all(p <= c for p, c in zip(point, cell, strict=True)) for point in found) for cell in cells)
        assert hypervolume(found, (1.0,) * objectives) == pytest.approx(covered / 5**objectives)


def test_points_beyond_the_reference_add_nothing() -> None:
    assert hypervolume([(0.5, 1.2)], (1.0, 1.0)) == 0
    assert hypervolume([], (1.0, 1.0)) == 0
    assert hypervolume([(0.5, 0.5), (0.2, 1.5)], (1.0, 1.0)) == 0.25
