"""Confidence intervals of effects that generalise to other seeds and to other clips.

Seeds and clips are both samples: an effect measured with these seeds on these clips would differ with others. Answers use the
two-way t interval whose variance between seeds is that of the effect's own values in the seeds. The pooled interval is for
comparison. The percentile bootstrap is too narrow with few seeds: in 500 simulated studies each it covered in 0.76 to 0.88 with
two or three seeds and in 0.88 to 0.93 with ten. The measured coverage of the others is in facegan/study/README.md.

The intervals of one generator's scores are in `facegan.metrics.card`.
"""

from dataclasses import dataclass
from functools import cache
from typing import final

import numpy as np

from facegan.study.analysis.effect_records import Bounds
from facegan.study.analysis.model import MIN_RESIDUAL_DEGREES_OF_FREEDOM, Fit, Floats, center_within_blocks
from facegan.study.analysis.seed_variance import variance_from_seeds

RESAMPLES = 2_000
_MIN_CLIPS = 2
_MIN_LOG_P = -100.0


@final
@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its t interval; its error is a sum of independent parts with degrees of freedom of their own.

    Each part keeps its own quantile: with half-width sqrt(t1^2 v1 + t2^2 v2) the coverage is at least nominal for any v1 and
    v2 (Banerjee (1960), Sankhya 22, 357-358).
    """

    estimate: float
    variances: tuple[float, ...]
    """Between seeds, then between clips where there are several."""
    degrees: tuple[float, ...]
    """Degrees of freedom of each variance."""
    level: float = 0.05
    """The probability that the interval misses."""

    @property
    def standard_error(self) -> float:
        """Of the estimate."""
        return float(np.sqrt(sum(self.variances)))

    @property
    def degrees_of_freedom(self) -> float:
        """Of the variance between seeds."""
        return self.degrees[0]

    @property
    def bounds(self) -> Bounds:
        """The ends of the interval."""
        reach = self.half_width(self.level)
        return self.estimate - reach, self.estimate + reach

    @property
    def p(self) -> float:
        """Two-sided, that the true value is zero: the level at which the interval just reaches zero."""
        return self._level_of(abs(self.estimate))

    def p_beyond(self, margin: float) -> float:
        """Two-sided, that the true value is `margin` or less in size: the level at which the interval just reaches that."""
        distance = abs(self.estimate) - margin
        return self._level_of(distance) if distance > 0 else 1.0

    def p_within(self, margin: float) -> float:
        """One-sided, that the true value is `margin` or more in size: that of the nearer of two one-sided tests (TOST).

        Schuirmann (1987), J. Pharmacokinetics and Biopharmaceutics 15, 657-680.
        """
        distance = margin - abs(self.estimate)
        return self._level_of(distance) / 2 if distance > 0 else 1.0

    def half_width(self, level: float) -> float:
        """Of the interval that misses with probability `level`."""
        from scipy import special  # slow to import, which refusing a bad flag need not wait for

        return float(np.sqrt(np.square(special.stdtrit(self.degrees, level / 2)) @ np.array(self.variances)))

    def _level_of(self, distance: float) -> float:
        """The level at which the half-width equals `distance`, at least exp(-100)."""
        from scipy import optimize

        if not any(self.variances):
            return float(distance == 0)

        def excess(log_level: float) -> float:
            return float(np.arctan2(self.half_width(float(np.exp(log_level))), distance)) - np.pi / 4

        return float(np.exp(optimize.brentq(excess, _MIN_LOG_P, 0.0) if excess(_MIN_LOG_P) > 0 else _MIN_LOG_P))


def two_way_interval(per_clip: Floats, run_variance: float, run_degrees_of_freedom: float, level: float = 0.05) -> Interval:
    """The t interval of a mean over clips [clips] that varies with the clips and with the seeds of the runs.

    `run_variance` is the variance of the mean due to the runs. The two variances are added. The noise of one run on one clip is
    in both, so the interval is on the safe side.
    """
    variances, degrees = [run_variance], [run_degrees_of_freedom]
    if len(per_clip) >= _MIN_CLIPS:
        variances.append(float(per_clip.var(ddof=1) / len(per_clip)))
        degrees.append(len(per_clip) - 1)
    return Interval(float(per_clip.mean()), tuple(variances), tuple(degrees), level)


def contrast_interval(fit: Fit, contrast: Floats, level: float = 0.05) -> Interval | None:
    """The interval of a weighted sum [effects] of effects; None with too few seeds to see their spread."""
    weights = contrast @ fit.weights
    found = variance_from_seeds(fit, weights)
    return None if found is None else two_way_interval(weights @ fit.values, found.of_mean, found.degrees_of_freedom, level)


def pooled_interval(fit: Fit, contrast: Floats, level: float = 0.05) -> Interval | None:
    """The same from the residual noise of all runs, which assumes that the sum does not vary from seed to seed."""
    if fit.degrees_of_freedom < MIN_RESIDUAL_DEGREES_OF_FREEDOM:
        return None
    weights = contrast @ fit.weights
    return two_way_interval(weights @ fit.values, fit.sigma**2 * float(weights @ weights), fit.degrees_of_freedom, level)


def bootstrap(fit: Fit) -> Floats:
    """[resamples, effects] effects with seeds and clips resampled with replacement, the same ones for all arms.

    Resamples whose seeds cannot estimate every effect are left out, so that there may be fewer than `RESAMPLES`, or none.
    """
    names = sorted(set(fit.seeds))
    seed_counts, clip_shares = resampling_counts(len(names), fit.values.shape[1])
    x = center_within_blocks(fit.model.design_matrix(fit.rows), fit.seeds)
    members = [np.array(fit.seeds) == name for name in names]
    # A seed that is drawn twice counts its block twice, and the normal equations are sums over blocks.
    square = np.array([x[m].T @ x[m] for m in members])
    right = np.einsum("bs,spc,bc->bp", seed_counts, np.array([x[m].T @ fit.values[m] for m in members]), clip_shares)
    if (square == square[0]).all():
        solved = np.linalg.solve(square[0] * len(names), right.T).T
    else:
        left = np.einsum("bs,spq->bpq", seed_counts, square)
        spectrum = np.linalg.eigvalsh(left)
        is_regular = spectrum[:, 0] > 1e-9 * spectrum[:, -1]
        solved = np.linalg.solve(left[is_regular], right[is_regular][:, :, None])[:, :, 0]
    return np.asarray(2 * solved[:, : len(fit.model.effects)], np.float64)


@cache
def resampling_counts(seeds: int, clips: int) -> tuple[Floats, Floats]:
    """[resamples, seeds] how often each seed is drawn, and [resamples, clips] the share of each clip among the draws."""
    rng = np.random.default_rng(68)
    counts = [rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64) for n in (seeds, clips)]
    return counts[0], counts[1] / clips


def percentile_interval(resampled: Floats) -> Bounds | None:
    """The 95 % percentile interval of resampled values [resamples]; None if there are none."""
    if not len(resampled):
        return None
    low, high = np.quantile(resampled, [0.025, 0.975])
    return float(low), float(high)
