"""The variance of an effect between seeds, taken from the spread of the effect over the seeds themselves.

If a factor does more in one seed than in another, the residual noise of all runs says too little about it: its interval is then
too narrow. Where every seed has all arms, the variance here is that of the seeds' own effects over the number of seeds. It has
one degree of freedom less than there are seeds. Where runs are missing, it is the bias-reduced cluster-robust variance CR2 with
degrees of freedom after Satterthwaite, which is the same for whole blocks: Bell and McCaffrey (2002), Survey Methodology 28,
169-181; with blocks as fixed effects Pustejovsky and Tipton (2018), JBES 36, 672-683.
"""

from dataclasses import dataclass

import numpy as np

from facegan.study.analysis.model import Fit, Floats

_MIN_DEGREES_OF_FREEDOM = 0.95
"""Two whole seeds have one degree of freedom: a wide interval, but one that covers."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class SeedVariance:
    """How much a weighted sum of runs varies between seeds."""

    of_mean: float
    """Variance of the sum, averaged over the clips."""
    of_clip: float
    """Variance of the sum on one clip, the mean over the clips."""
    degrees_of_freedom: float


def variance_from_seeds(fit: Fit, weights: Floats) -> SeedVariance | None:
    """The variance between seeds of a weighted sum [n] of the runs; None with too few seeds.

    `weights` must be a sum of `Fit.weights`.
    """
    residuals, seeds = fit.residual_maker @ fit.values, np.array(fit.seeds)
    columns, sums = [], []
    for seed in sorted(set(fit.seeds)):
        own = seeds == seed
        adjusted, is_known = _adjusted(fit.residual_maker[np.ix_(own, own)], weights[own])
        if not is_known:
            return None
        sums.append(adjusted @ residuals[own])
        columns.append(fit.residual_maker[:, own] @ adjusted)
    products, per_clip = np.array(columns) @ np.array(columns).T, np.array(sums)
    if np.trace(products) <= _ROUNDING * float(weights @ weights):
        return None
    degrees_of_freedom = float(np.trace(products) ** 2 / np.square(products).sum())
    if degrees_of_freedom < _MIN_DEGREES_OF_FREEDOM:
        return None
    of_mean, of_clip = np.square(per_clip.mean(axis=1)).sum(), np.square(per_clip).sum(axis=0).mean()
    return SeedVariance(float(of_mean), float(of_clip), degrees_of_freedom)


def _adjusted(block: Floats, weights: Floats) -> tuple[Floats, bool]:
    """The weights of one seed's residuals, enlarged for what the fit took from them, and whether the residuals show them.

    `block` [runs, runs] is the seed's part of the residual maker. The weights are multiplied by its inverse square root.
    """
    values, vectors = np.linalg.eigh(block)
    is_left = values > _ROUNDING
    parts = vectors.T @ weights
    is_known = bool(np.abs(parts[~is_left]).max(initial=0.0) <= 1e-6 * max(1.0, float(np.abs(weights).max())))
    roots = np.where(is_left, 1 / np.sqrt(np.where(is_left, values, 1.0)), 0.0)
    return vectors @ (roots * parts), is_known
