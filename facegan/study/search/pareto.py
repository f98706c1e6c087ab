"""Comparing candidates by several objectives of which less is better: non-dominated ranks and hypervolume.

Ranks are those of NSGA-II: Deb et al. (2002), IEEE Transactions on Evolutionary Computation 6, 182-197.
"""

from collections.abc import Sequence

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
