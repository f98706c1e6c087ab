"""Contrasts of a single factor, paired by seed: the full loss against the loss without it, the base with it against the base.

In a full factorial design a leave-one-out difference is the factor's main effect plus all its interactions, because the full
arm has every other factor at +1 and each effect is twice a coefficient. The difference between the two is reported.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from facegan.study.analysis.effect_records import InteractionPart, SingleFactorContrast
from facegan.study.analysis.intervals import percentile_interval, resampling_counts, two_way_interval
from facegan.study.analysis.model import Fit, Floats
from facegan.study.analysis.runs import RunTable
from facegan.study.design.two_level import Row


def leave_one_out_contrasts(
    table: RunTable, fit: Fit | None, factors: Sequence[str], level: float
) -> tuple[SingleFactorContrast, ...]:
    """For each factor the full arm minus the arm without it, set beside the averaged effect of the fitted model.

    The intervals miss with probability `level`.
    """
    contrasts = []
    for factor in factors:
        found = _contrast(table, factors, factor, others=1, level=level)
        contrasts.append(_with_averaged_effect(found, fit) if fit is not None and fit.model.has_interactions else found)
    return tuple(contrasts)


def added_alone_contrasts(table: RunTable, factors: Sequence[str], level: float) -> tuple[SingleFactorContrast, ...]:
    """For each factor the arm with it alone minus the base arm, in which every factor is off."""
    return tuple(_contrast(table, factors, factor, others=-1, level=level) for factor in factors)


def _contrast(
    table: RunTable, factors: Sequence[str], factor: str, others: Literal[1, -1], level: float
) -> SingleFactorContrast:
    """The arm with the factor on minus the arm with it off, with all other factors at the level `others`.

    The interval uses the variance of these differences alone: the noise of two arms says nothing of that of the others.
    """
    rest = {f: others for f in factors if f != factor}
    differences = _paired_differences(table, {**rest, factor: 1}, {**rest, factor: -1})
    seeds = len(differences)
    if not seeds:
        return SingleFactorContrast(factor, None, 0, None, None, None, None, None)
    seed_counts, clip_shares = resampling_counts(*differences.shape)
    resampled = np.einsum("bs,sc,bc->b", seed_counts / seeds, differences, clip_shares)
    interval = None
    if seeds > 1:
        variance_of_mean = float(differences.mean(axis=1).var(ddof=1) / seeds)
        interval = two_way_interval(differences.mean(axis=0), variance_of_mean, seeds - 1, level)
    return SingleFactorContrast(
        factor=factor,
        estimate=float(differences.mean()),
        seeds=seeds,
        bootstrap=percentile_interval(resampled),
        interval=interval and interval.bounds,
        p=interval and interval.p,
        standard_error=interval and interval.standard_error,
        degrees_of_freedom=interval and interval.degrees_of_freedom,
    )


def _paired_differences(table: RunTable, on: Row, off: Row) -> Floats:
    """[seeds, clips] of the seeds that have both runs."""
    place = {(tuple(sorted(run.levels.items())), run.seed): i for i, run in enumerate(table.runs)}
    sides = [[place.get((tuple(sorted(row.items())), seed)) for seed in sorted(set(table.seeds))] for row in (on, off)]
    both = [(a, b) for a, b in zip(*sides, strict=True) if a is not None and b is not None]
    return np.array([table.values[a] - table.values[b] for a, b in both], np.float64).reshape(len(both), len(table.clips))


def _with_averaged_effect(found: SingleFactorContrast, fit: Fit) -> SingleFactorContrast:
    """The contrast with the factor's averaged effect and the interactions that set the two apart."""
    estimates = dict(zip(fit.model.effects, map(float, fit.estimates), strict=True))
    main = next((value for effect, value in estimates.items() if effect.words[0] == (found.factor,)), None)
    if main is None:
        return found
    pairs = [
        InteractionPart(effect.name, value)
        for effect, value in estimates.items()
        if len(effect.words[0]) == 2 and any(found.factor in word for word in effect.words)
    ]
    pairs.sort(key=lambda pair: -abs(pair.estimate))
    rest = None if found.estimate is None else found.estimate - main - sum(pair.estimate for pair in pairs)
    return replace(found, averaged=main, explained_by=tuple(pairs), higher_order=rest)


def noise_by_arm(table: RunTable) -> dict[str, float]:
    """Standard deviation between seeds of each arm, without the variation that all arms of a seed share.

    Empty with fewer than three arms or two seeds, or where a seed lacks an arm. Subtracting the seeds' means spreads a part of
    each arm's noise over all others; the estimator of Grubbs (1948), JASA 43, 243-264, corrects for it.
    """
    arms, seeds = list(dict.fromkeys(run.arm for run in table.runs)), sorted(set(table.seeds))
    if len(arms) < 3 or len(seeds) < 2 or len(table.runs) != len(arms) * len(seeds):
        return {}
    means = np.empty((len(seeds), len(arms)))
    for run, mean in zip(table.runs, table.values.mean(axis=1), strict=True):
        means[seeds.index(run.seed), arms.index(run.arm)] = mean
    residuals = means - means.mean(axis=0) - means.mean(axis=1, keepdims=True) + means.mean()
    variances, n = np.square(residuals).sum(axis=0) / (len(seeds) - 1), len(arms)
    corrected = (variances - variances.sum() / (n * (n - 1))) * n / (n - 2)
    return {arm: float(np.sqrt(max(0.0, variance))) for arm, variance in zip(arms, corrected, strict=True)}
