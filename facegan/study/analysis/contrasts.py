"""One factor at a time: the full model against the one without it, and the base against the base with it, paired by seed.

In a full factorial the leave-one-out difference of a factor is its main effect plus all its interactions, of any order, for
each of these is twice a coefficient and the full model has every other factor at +1. So what sets it apart from the effect
averaged over the other terms is interactions, and which.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from facegan.study.analysis.intervals import as_json, draws, percentile, two_way
from facegan.study.analysis.model import FEWEST_FREE, Fit, Floats
from facegan.study.analysis.runs import Table
from facegan.study.design.two_level import Row


def one_at_a_time(table: Table, fit: Fit | None, factors: Sequence[str], level: int) -> list[dict[str, Any]]:
    """For `level` 1 the full arm minus the arm without each factor; for -1 the arm with each factor alone minus the base."""
    found = []
    for factor in factors:
        rest = {f: level for f in factors if f != factor}
        pairs = _pairs(table, {**rest, factor: 1}, {**rest, factor: -1})
        entry = {"factor": factor, "estimate": None, "seeds": len(pairs), "bootstrap": None, **as_json(None)}
        if len(pairs):
            entry |= _contrast(pairs)
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


def _contrast(pairs: Floats) -> dict[str, Any]:
    """By the seeds' own differences: the noise of two arms says nothing of that of the others, and may be a tenth of it."""
    picked_seeds, picked_clips = draws(*pairs.shape)
    resampled = np.einsum("bs,sc,bc->b", picked_seeds / len(pairs), pairs, picked_clips)
    free = len(pairs) - 1
    interval = two_way(pairs.mean(axis=0), _of_mean(pairs), free) if free >= FEWEST_FREE else None
    return {"estimate": float(pairs.mean()), "bootstrap": percentile(resampled), **as_json(interval)}


def _of_mean(pairs: Floats) -> float:
    """The variance of the mean over seeds."""
    return float(pairs.mean(axis=1).var(ddof=1) / len(pairs))


def noise_by_arm(table: Table) -> dict[str, float]:
    """Each arm's standard deviation from seed to seed, beyond what all arms share; empty for fewer than three arms, or where
    a seed lacks one.

    Seeds' means take a part of each arm's noise to all others, which is taken off again: Grubbs (1948), JASA 43, 243-264.
    """
    arms, seeds = list(dict.fromkeys(run.arm for run in table.runs)), sorted(set(table.seeds))
    if len(arms) < 3 or len(seeds) < 2 or len(table.runs) != len(arms) * len(seeds):
        return {}
    means = np.empty((len(seeds), len(arms)))
    for run, mean in zip(table.runs, table.values.mean(axis=1), strict=True):
        means[seeds.index(run.seed), arms.index(run.arm)] = mean
    left = means - means.mean(axis=0) - means.mean(axis=1, keepdims=True) + means.mean()
    squares, n = np.square(left).sum(axis=0) / (len(seeds) - 1), len(arms)
    own = (squares - squares.sum() / (n * (n - 1))) * n / (n - 2)
    return {arm: float(np.sqrt(max(0.0, square))) for arm, square in zip(arms, own, strict=True)}


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
