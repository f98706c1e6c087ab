"""Power: the smallest true effect that a study would find, before it is run and afterwards.

"Find" is what a study answers by: the two-way interval at the level that Holm's adjustment and the looks leave to one test. The
noise has three parts, and the number of people does not help against all of them: an effect varies between seeds, between
people, and from seed to seed on each person.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facegan.study.analysis.effect_records import EffectEstimate, EffectNoise, MetricEffects, RunNoise
from facegan.study.analysis.intervals import Interval
from facegan.study.analysis.model import Floats, choose_model, fit_model
from facegan.study.analysis.seed_variance import SeedVariance
from facegan.study.design.analysis_plan import LEVEL
from facegan.study.design.two_level import Row

POWER = 0.8
_DRAWS = 4_000
_MOST_SEEDS = 100


def noise_of_effect(found: SeedVariance, interval: Interval, seeds: int, people: int) -> EffectNoise:
    """The noise of an effect that was estimated from this many seeds and people."""
    rest = max(0.0, found.of_clip - found.of_mean) * people / max(1, people - 1) * seeds
    of_seeds = max(0.0, found.of_mean * seeds - rest / people)
    of_people = max(0.0, interval.variances[1] * people - rest / seeds) if len(interval.variances) > 1 else 0.0
    return EffectNoise(float(np.sqrt(of_seeds)), float(np.sqrt(of_people)), float(np.sqrt(rest)))


def detectable_effect(noise: EffectNoise, seeds: int, people: int, level: float) -> float | None:
    """The smallest true effect whose p falls below `level` in 80 % of studies; None for a single seed."""
    if seeds < 2:
        return None
    from scipy import optimize

    error, reach = _error_and_reach(noise, seeds, people, level)
    if error == 0:
        return 0.0
    most = 3 * float(reach.max()) + 10 * error
    return float(optimize.brentq(lambda effect: _share_found(effect, error, reach) - POWER, 0.0, most))


def probability_found(effect: float, noise: EffectNoise, seeds: int, people: int, level: float) -> float:
    """The share of studies in which the p of a true effect falls below `level`; 0 for a single seed, which decides nothing."""
    if seeds < 2:
        return 0.0
    error, reach = _error_and_reach(noise, seeds, people, level)
    return _share_found(effect, error, reach) if error else float(effect != 0)


def _error_and_reach(noise: EffectNoise, seeds: int, people: int, level: float) -> tuple[float, Floats]:
    """The standard error of an effect, and in simulated studies the estimate [draws] at which p is `level`."""
    from scipy import special

    rest = noise.rest**2 / (seeds * people)
    of_seeds, of_people = noise.seeds**2 / seeds + rest, noise.people**2 / people + rest
    error = float(np.sqrt(of_seeds + of_people - rest))
    # The variances that a study would estimate: chi squared over its degrees of freedom, and independent of the estimate.
    rng, degrees = np.random.default_rng(80), (seeds - 1, people - 1)
    drawn = np.stack(
        [v * rng.chisquare(max(1, d), _DRAWS) / max(1, d) for v, d in zip((of_seeds, of_people), degrees, strict=True)]
    )
    quantiles = [float(special.stdtrit(d, level / 2)) if d else 0.0 for d in degrees]
    reach: Floats = np.sqrt(np.square(quantiles) @ drawn)
    return error, reach


def _share_found(effect: float, error: float, reach: Floats) -> float:
    from scipy import special

    found = special.ndtr((effect - reach) / error) + special.ndtr((-effect - reach) / error)
    return float(found.mean())


def noise_of_runs(noise: EffectNoise, weight: float) -> RunNoise:
    """From the noise of an effect; `weight` is the sum of squares of the weights of a seed's runs in the effect."""
    return RunNoise(noise.seeds / float(np.sqrt(weight)), noise.people, noise.rest / float(np.sqrt(weight)))


def undecided_main_effects(found: MetricEffects) -> list[EffectEstimate]:
    """The main effects on a metric that are neither other than zero nor equivalent to it."""

    def is_below(p: float | None) -> bool:
        return p is not None and p < LEVEL

    return [e for e in found.effects if e.order == 1 and not is_below(e.p_holm) and not is_below(e.p_equivalent)]


def mean_noise(effects: Sequence[EffectEstimate]) -> RunNoise | None:
    """The root mean square of the noise of these effects; None where none of them has one."""
    noises = [effect.noise.of_runs for effect in effects if effect.noise]
    if not noises:
        return None
    run, people, rest = np.sqrt(np.mean([[n.run**2, n.people**2, n.rest**2] for n in noises], axis=0))
    return RunNoise(float(run), float(people), float(rest))


@dataclass(frozen=True, slots=True)
class PlannedPower:
    """What a plan can find on one metric, for the effect that it estimates worst."""

    metric: str
    noise: RunNoise
    smallest_of_interest: float | None
    detectable: dict[int, float]
    """By number of seeds: the smallest effect that is found with 80 % power."""
    probability: dict[int, float]
    """By number of seeds: of finding the smallest effect of interest; empty where none is declared."""
    seeds_needed: int | None
    """To find the smallest effect of interest with 80 % power; None where 100 do not."""


def planned_power(
    metric: str, noise: RunNoise, arms: Sequence[Row], seeds: Sequence[int], people: int, level: float, smallest: float | None
) -> PlannedPower:
    """The smallest detectable effects of a design by number of seeds, from 2; `level` is that of one test."""
    weight = float(np.sqrt(max(effect_weights(arms), default=1.0)))
    of_effect = EffectNoise(noise.run * weight, noise.people, noise.rest * weight)

    def size(count: int) -> float:
        found = detectable_effect(of_effect, count, people, level)
        assert found is not None
        return found

    enough = 2 + bisect_left(range(2, _MOST_SEEDS + 1), True, key=lambda count: size(count) <= (smallest or 0.0))
    needed = enough if smallest and enough <= _MOST_SEEDS else None
    chances = {n: probability_found(smallest, of_effect, n, people, level) for n in seeds} if smallest else {}
    return PlannedPower(metric, noise, smallest, {count: size(count) for count in seeds}, chances, needed)


def effect_weights(arms: Sequence[Row]) -> list[float]:
    """The sum of squares of the weights of one seed's runs in each effect of a design."""
    model = choose_model(arms, arms, [0] * len(arms))
    if not model.effects:
        return []
    weights = fit_model(model, arms, [0] * len(arms), np.zeros((len(arms), 1))).weights
    return [float(row @ row) for row in weights]
