"""How long the trials of a plan take, several at once."""

import heapq
from collections.abc import Iterable, Sequence

from facegan.study.cost.rates import Rates
from facegan.study.design.plan import WARM_UP, Plan, Trial


def seconds_of_trial(plan: Plan, trial: Trial, rates: Rates) -> float | None:
    """Wall seconds of a trial; None if the rate of its arm is not known."""
    rate = rates.images_per_second.get(trial.arm)
    is_warm_up, limit = trial.arm == WARM_UP, plan.budget.seconds
    if rate is None and (limit is None or is_warm_up):
        return None
    training = limit if limit is not None and not is_warm_up else trial.config.images / (rate or 1.0)
    fixed = rates.fixed
    images = trial.config.images if limit is None or is_warm_up else limit * (rate or 0.0)
    scoring = 0.0 if is_warm_up or plan.search is not None else fixed.scoring
    return fixed.start + training + checkpoints(images, trial) * fixed.checkpoint + scoring


def checkpoints(images: float, trial: Trial) -> int:
    """Number of checkpoints of a run, the last one at its end."""
    every = trial.config.checkpoint_every
    further = sum(at < images and at % every != 0 for at in trial.config.checkpoint_at)
    return max(1, -int(-images // every)) + further


def makespan(lengths: Iterable[float], at_once: int) -> float:
    """Seconds until the last run ends, started in this order, each as soon as one of `at_once` places is free."""
    places = [0.0] * max(1, at_once)
    for length in lengths:
        heapq.heapreplace(places, places[0] + length)
    return max(places)


def wall_seconds(plan: Plan, trials: Sequence[Trial], warm_ups: Sequence[Trial], rates: Rates, at_once: int) -> float | None:
    """Seconds of a study whose warm-ups end before its trials start, with the study's own; None if a rate is not known."""
    phases = []
    for phase in (warm_ups, trials):
        lengths = [seconds_of_trial(plan, trial, rates) for trial in phase]
        known = [length for length in lengths if length is not None]
        if len(known) < len(lengths):
            return None
        phases.append(makespan(known, at_once))
    return sum(phases) + rates.fixed.study
