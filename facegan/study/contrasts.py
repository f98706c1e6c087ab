"""One factor at a time: the full model against the one without it, and the base against the base with it, paired by seed.

In a full factorial the leave-one-out difference of a factor is its main effect plus all its interactions, of any order, for
each of these is twice a coefficient and the full model has every other factor at +1. So what sets it apart from the effect
averaged over the other terms is interactions, and which.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from facegan.study.designs import Row
from facegan.study.intervals import as_json, draws, percentile, two_way
from facegan.study.model import FEWEST_FREE, Fit, Floats, within_blocks
from facegan.study.runs import Table


def one_at_a_time(table: Table, fit: Fit | None, factors: Sequence[str], level: int) -> list[dict[str, Any]]:
    """For `level` 1 the full arm minus the arm without each factor; for -1 the arm with each factor alone minus the base."""
    found = []
    for factor in factors:
        rest = {f: level for f in factors if f != factor}
        pairs = _pairs(table, {**rest, factor: 1}, {**rest, factor: -1})
        entry = {"factor": factor, "estimate": None, "seeds": len(pairs), "bootstrap": None, **as_json(None)}
        if len(pairs):
            entry |= _contrast(table, pairs)
        if level == 1:
            entry |= _explained(fit, factor, entry["estimate"])
        found.append(entry)
    return found


def _pairs(table: Table, on: Row, off: Row) -> Floats:
    """[seeds, clips] the differences of the seeds that have both runs."""
    place = {(tuple(sorted(run.levels.items())), run.seed): i for i, run in enumerate(table.runs)}
    sides = [[place.get((tuple(sorted(row.items())), seed)) for seed in sorted(set(table.seeds))] for row in (on, off)]
    both = [(a, b) for a, b in zip(*sides, strict=True) if a is not None and b is not None]
    return np.array([table.values[a] - table.values[b] for a, b in both], np.float64).reshape(len(both), len(table.clips))


def _contrast(table: Table, pairs: Floats) -> dict[str, Any]:
    picked_seeds, picked_clips = draws(*pairs.shape)
    resampled = np.einsum("bs,sc,bc->b", picked_seeds / len(pairs), pairs, picked_clips)
    sigma2, free = noise(table)
    inference = as_json(two_way(pairs.mean(axis=0), 2 * sigma2 / len(pairs), free) if free >= FEWEST_FREE else None)
    return {"estimate": float(pairs.mean()), "bootstrap": percentile(resampled), **inference}


def noise(table: Table) -> tuple[float, int]:
    """The variance of a run about its arm and its seed, pooled over all arms, and its degrees of freedom."""
    arms = sorted({run.arm for run in table.runs})
    x = within_blocks(np.array([[float(run.arm == arm) for arm in arms] for run in table.runs], np.float64), table.seeds)
    y = within_blocks(table.values.mean(axis=1), table.seeds)
    solved, _, rank, _ = np.linalg.lstsq(x, y, rcond=None)
    free = len(y) - len(set(table.seeds)) - int(rank)
    return (float(np.square(y - x @ solved).sum() / free) if free else 0.0), free


def _explained(fit: Fit | None, factor: str, estimate: float | None) -> dict[str, Any]:
    """The averaged effect beside a leave-one-out difference, and the interactions between the two."""
    named = dict(zip(fit.model.effects, fit.estimates, strict=True)) if fit else {}
    main = next((v for e, v in named.items() if e.words[0] == (factor,)), None)
    if main is None or fit is None or not fit.model.has_interactions:
        return {"averaged": None, "explained_by": [], "higher_order": None}
    pairs = [(e, float(v)) for e, v in named.items() if len(e.words[0]) == 2 and any(factor in word for word in e.words)]
    pairs.sort(key=lambda pair: -abs(pair[1]))
    rest = None if estimate is None else estimate - float(main) - sum(value for _, value in pairs)
    return {
        "averaged": float(main),
        "explained_by": [{"name": e.name, "estimate": value} for e, value in pairs],
        "higher_order": rest,
    }
