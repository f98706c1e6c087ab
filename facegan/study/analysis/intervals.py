"""Intervals of effects that speak of other seeds and of other clips at once.

Both are samples: an effect seen with these seeds on these clips would come out differently with others. How often the 95 %
intervals cover a planted effect, in 500 simulated studies each (tests/facegan/test_effects.py):

                                                     two-way t   percentile bootstrap   HC3
  2 x 2, 3 seeds, 12 clips                                0.96                   0.88   0.97
  the same, effects alike on all clips                    0.96                   0.83   0.99
  the same, clips differ much more than runs              0.97                   0.93   0.80
  the same, a run missing / arms of uneven noise     0.96 / 0.95            0.85 / 0.85   0.97 / 0.96
  the same, one arm ten times as noisy                    0.90                   0.77   0.94
  2 x 2, 2 seeds / 2 x 2 x 2, 3 seeds                0.98 / 0.97            0.84 / 0.87   - / 0.95
  a quarter of 2^6, 2 seeds                               0.96                   0.76   -
  leaving one out, 2 x 2, 3 seeds                 0.96 to 0.98                      -   -

So the two-way t is what is answered by. The percentile bootstrap is too narrow with few seeds (0.88 to 0.93 with ten), and
HC3, which sees the runs' means only, is right for other seeds on the same clips and too narrow where effects differ by clip.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from facegan.study.analysis.model import Fit, within_blocks

Floats = NDArray[np.float64]

RESAMPLES = 2_000
_FEWEST_CLIPS = 2
_LEAST_LOG_P = -100.0


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its standard error, the runs' degrees of freedom, its 95 % interval and two-sided p."""

    estimate: float
    error: float
    free: int
    low: float
    high: float
    p: float


def two_way(per_clip: Floats, run_variance: float, run_free: int) -> Interval:
    """The t interval of a mean over clips [clips] whose value also has a variance from the runs, of `run_free` degrees.

    The variances over seeds and over clips are added; the noise of a single run on a single clip is in both, which errs on
    the safe side. Each part has its own t: sqrt(t1^2 v1 + t2^2 v2) covers at least as often as it says, whatever the parts are
    (Banerjee (1960), Sankhya 22, 357-358). p is that of the interval that just reaches zero.
    """
    parts = [(run_variance, run_free)]
    if len(per_clip) >= _FEWEST_CLIPS:
        parts.append((float(per_clip.var(ddof=1) / len(per_clip)), len(per_clip) - 1))
    variances, degrees = np.array(parts, np.float64).T

    def reach(p: float) -> float:
        return float(np.sqrt(np.square(special.stdtrit(degrees, p / 2)) @ variances))

    estimate, error = float(per_clip.mean()), float(np.sqrt(variances.sum()))
    if error == 0:
        return Interval(estimate, 0.0, run_free, estimate, estimate, float(estimate == 0))
    return Interval(estimate, error, run_free, estimate - reach(0.05), estimate + reach(0.05), _reaching(abs(estimate), reach))


def _reaching(size: float, reach: Callable[[float], float]) -> float:
    """The p at which an interval reaches as far as `size`, or the least number told apart from 0."""

    def beyond(log_p: float) -> float:
        return float(np.arctan2(reach(float(np.exp(log_p))), size)) - np.pi / 4

    return (
        float(np.exp(optimize.brentq(beyond, _LEAST_LOG_P, 0.0))) if beyond(_LEAST_LOG_P) > 0 else float(np.exp(_LEAST_LOG_P))
    )


def contrast_interval(fit: Fit, contrast: Floats) -> Interval | None:
    """The interval of a weighted sum [effects] of effects; None where too few runs say how much seeds differ."""
    if fit.too_few:
        return None
    weights = contrast @ fit.weights
    return two_way(weights @ fit.values, fit.sigma**2 * float(weights @ weights), fit.free)


def detectable(fit: Fit, effect: int) -> float | None:
    """The smallest true effect found with 80 % power at 5 % two-sided, on these clips, by as many runs again.

    (t(0.975) + t(0.8)) x standard error, from the residual standard deviation: Bloom (1995), Evaluation Review 19(5), 547-556.
    """
    if fit.too_few:
        return None
    error = fit.sigma * float(np.sqrt(np.square(fit.weights[effect]).sum()))
    return float((stats.t.ppf(0.975, fit.free) + stats.t.ppf(0.8, fit.free)) * error)


def bootstrap(fit: Fit) -> Floats:
    """[resamples, effects] the effects with seeds and clips drawn again with replacement, the same ones for all arms.

    Resamples whose seeds do not hold every effect are left out; so there may be fewer than `RESAMPLES`, or none.
    """
    names = sorted(set(fit.seeds))
    picked_seeds, picked_clips = draws(len(names), fit.values.shape[1])
    x = within_blocks(fit.model.columns(fit.rows), fit.seeds)
    members = [np.array(fit.seeds) == name for name in names]
    # Drawing a seed twice counts its block twice: normal equations are sums over blocks.
    square = np.array([x[m].T @ x[m] for m in members])
    right = np.einsum("bs,spc,bc->bp", picked_seeds, np.array([x[m].T @ fit.values[m] for m in members]), picked_clips)
    if (square == square[0]).all():
        solved = np.linalg.solve(square[0] * len(names), right.T).T
    else:
        left = np.einsum("bs,spq->bpq", picked_seeds, square)
        spectrum = np.linalg.eigvalsh(left)
        whole = spectrum[:, 0] > 1e-9 * spectrum[:, -1]
        solved = np.linalg.solve(left[whole], right[whole][:, :, None])[:, :, 0]
    return np.asarray(2 * solved[:, : len(fit.model.effects)], np.float64)


@cache
def draws(seeds: int, clips: int) -> tuple[Floats, Floats]:
    """[resamples, seeds] how often each seed is drawn, and [resamples, clips] each clip's share."""
    rng = np.random.default_rng(68)
    counted = [rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64) for n in (seeds, clips)]
    return counted[0], counted[1] / clips


def percentile(sample: Floats) -> list[float] | None:
    """The 95 % percentile interval of resampled values [resamples]."""
    return [float(v) for v in np.quantile(sample, [0.025, 0.975])] if len(sample) else None


def as_json(interval: Interval | None) -> dict[str, Any]:
    """The keys that every estimate in summary.json has."""
    if interval is None:
        return {"interval": None, "p": None, "standard_error": None, "degrees_of_freedom": None}
    return {
        "interval": [interval.low, interval.high],
        "p": interval.p,
        "standard_error": interval.error,
        "degrees_of_freedom": interval.free,
    }
