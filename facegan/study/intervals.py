"""Intervals of effects that speak of other seeds and of other clips at once.

Both are samples: an effect seen with these seeds on these clips would come out differently with others. How often the 95 %
intervals cover a planted effect, in 500 simulated studies each (tests/facegan/test_effects.py):

                                                     two-way t   percentile bootstrap   HC3
  2 x 2, 3 seeds, 12 clips                                0.94                   0.87   0.97
  the same, effects alike on all clips                    0.95                   0.83   0.99
  the same, clips differ much more than runs              0.96                   0.93   0.80
  the same, a run missing / arms of uneven noise     0.95 / 0.94            0.85 / 0.85   0.97 / 0.96
  2 x 2, 2 seeds / 2 x 2 x 2, 3 seeds                0.95 / 0.96            0.83 / 0.87   - / 0.95
  a quarter of 2^6, 2 seeds                               0.95                   0.76   -

So the two-way t is what is answered by. The percentile bootstrap is too narrow with few seeds (0.88 to 0.93 with ten), and
HC3, which sees the runs' means only, is right for other seeds on the same clips and too narrow where effects differ by clip.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from facegan.study.model import Fit, within_blocks

Floats = NDArray[np.float64]

RESAMPLES = 2_000
_FEWEST_CLIPS = 2


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its standard error, degrees of freedom, 95 % interval and two-sided p."""

    estimate: float
    error: float
    free: float
    low: float
    high: float
    p: float


def two_way(per_clip: Floats, run_variance: float, run_free: float) -> Interval:
    """The t interval of a mean over clips [clips] whose value also has a variance from the runs, of `run_free` degrees.

    The variances over seeds and over clips are added; the noise of a single run on a single clip is in both, which errs on
    the safe side. Degrees of freedom by Satterthwaite (1946), Biometrics Bulletin 2(6), 110-114.
    """
    n = len(per_clip)
    clip_variance = float(per_clip.var(ddof=1) / n) if n >= _FEWEST_CLIPS else 0.0
    total = run_variance + clip_variance
    estimate, error = float(per_clip.mean()), float(np.sqrt(total))
    if error == 0:
        return Interval(estimate, 0.0, run_free, estimate, estimate, float(estimate == 0))
    spread = run_variance**2 / run_free + (clip_variance**2 / (n - 1) if clip_variance else 0.0)
    free = total**2 / spread
    reach = float(stats.t.ppf(0.975, free)) * error
    return Interval(
        estimate, error, free, estimate - reach, estimate + reach, float(2 * stats.t.sf(abs(estimate) / error, free))
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
