"""Comparing candidates by several objectives of which less is better: non-dominated ranks, crowding, and hypervolume.

Ranks and crowding distance are those of NSGA-II: Deb et al. (2002), IEEE Transactions on Evolutionary Computation 6, 182-197.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Points = Sequence[tuple[float, ...]]
"""[n] points, each with its value of every objective."""


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether `one` is nowhere worse than `other`, and somewhere better."""
    return all(a <= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)


def non_dominated_ranks(points: Points) -> list[int]:
    """0 for points that no other one dominates, 1 for those that only points of rank 0 dominate, and so on."""
    ranks: dict[int, int] = {}
    left = set(range(len(points)))
    rank = 0
    while left:
        front = {i for i in left if not any(dominates(points[j], points[i]) for j in left)}
        ranks |= dict.fromkeys(front, rank)
        left -= front
        rank += 1
    return [ranks[i] for i in range(len(points))]


def crowding_distances(points: Points) -> list[float]:
    """For points of one rank: the sum over objectives of the gap between both neighbours, as a share of the range.

    Infinite for the best and the worst point of an objective.
    """
    values = np.array(points, np.float64).reshape(len(points), -1)
    distances: NDArray[np.float64] = np.zeros(len(values))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        span = column[order[-1]] - column[order[0]]
        distances[order[[0, -1]]] = np.inf
        if span > 0:
            distances[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / span
    return [float(distance) for distance in distances]


def order(points: Points, last: Sequence[bool]) -> list[int]:
    """Positions of the points from the best to the worst: by rank, then the least crowded, then by position.

    Those with `last` come after all others, whatever their objectives: constrained domination of the same paper.
    """
    found: list[int] = []
    for is_last in (False, True):
        chosen = [i for i in range(len(points)) if last[i] == is_last]
        ranks = dict(zip(chosen, non_dominated_ranks([points[i] for i in chosen]), strict=True))
        for rank in sorted(set(ranks.values())):
            front = [i for i in chosen if ranks[i] == rank]
            distances = dict(zip(front, crowding_distances([points[i] for i in front]), strict=True))
            found += sorted(front, key=lambda i: (-distances[i], i))
    return found


def hypervolume(points: Points, reference: Sequence[float]) -> float:
    """The volume that the points dominate, up to a reference point; points beyond it count as far as they are within.

    Exact, by slices along the last objective: fast enough for some dozens of points.
    """
    inside = [point for point in points if all(value < end for value, end in zip(point, reference, strict=True))]
    if not inside:
        return 0.0
    if len(reference) == 1:
        return float(reference[0] - min(point[0] for point in inside))
    levels = sorted({point[-1] for point in inside})
    volume = 0.0
    for level, above in zip(levels, [*levels[1:], reference[-1]], strict=True):
        slice_of = [point[:-1] for point in inside if point[-1] <= level]
        volume += (above - level) * hypervolume(slice_of, reference[:-1])
    return volume
