"""How long the trials of a plan take, several at once."""

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from facegan.study.cost.rates import Rates
from facegan.study.design.plan import WARM_UP, Plan, Trial


@dataclass(frozen=True, slots=True)
class Work:
    """What runs take with so many at once, `WARM_UP` for the warm-ups in place of an arm; None: its rate is not known."""

    images: Mapping[str, float | None]
    """By arm."""
    seconds: Mapping[str, float | None]
    """By arm, of its runs one after the other, with their fixed part."""
    wall_seconds: float | None
    """Without the study's own."""


WorkOf = Callable[[Plan, Sequence[Trial], Sequence[Trial], Rates | None, int], Work]
"""The work of these trials of a plan, after these warm-ups, with so many at once."""


def seconds_of_trial(plan: Plan, trial: Trial, rates: Rates) -> float | None:
    """Wall seconds of a trial; None if the rate of its arm is not known."""
    is_warm_up, limit = trial.arm == WARM_UP, plan.budget.seconds
    scoring = 0.0 if is_warm_up or plan.search is not None else rates.fixed.scoring
    if limit is None or is_warm_up:
        seconds = seconds_of_stretch(trial, 0, trial.config.images, rates, starts=True)
        return None if seconds is None else seconds + scoring
    images = limit * rates.images_per_second.get(trial.arm, 0.0)
    return rates.fixed.start + limit + checkpoints(images, trial) * rates.fixed.checkpoint + scoring


def seconds_of_stretch(trial: Trial, start: int, end: int, rates: Rates, *, starts: bool) -> float | None:
    """Wall seconds of a trial from some images to a checkpoint, with its start if it has to be started for that.

    None if the rate of its arm is not known.
    """
    rate, fixed = rates.images_per_second.get(trial.arm), rates.fixed
    if rate is None:
        return None
    further = checkpoints(end, trial) - (checkpoints(start, trial) if start else 0)
    return (fixed.start if starts else 0.0) + (end - start) / rate + further * fixed.checkpoint


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


def whole_runs(plan: Plan, trials: Sequence[Trial], warm_ups: Sequence[Trial], rates: Rates | None, at_once: int) -> Work:
    """The work of trials that all train to their end, started in this order once the warm-ups have ended."""
    runs = [*warm_ups, *trials]
    images = [images_of(plan, run, rates) for run in runs]
    lengths = [seconds_of_trial(plan, run, rates) if rates else None for run in runs]
    arms = {arm: [i for i, run in enumerate(runs) if run.arm == arm] for arm in dict.fromkeys(run.arm for run in runs)}
    phases = [_all(lengths[: len(warm_ups)]), _all(lengths[len(warm_ups) :])]
    walls = [None if phase is None else makespan(phase, at_once) for phase in phases]
    return Work(
        {arm: _sum(images[i] for i in of_arm) for arm, of_arm in arms.items()},
        {arm: _sum(lengths[i] for i in of_arm) for arm, of_arm in arms.items()},
        _sum(walls),
    )


def images_of(plan: Plan, run: Trial, rates: Rates | None) -> float | None:
    """Images of a run that trains to its end; None where seconds are the budget and its rate is not known."""
    if plan.budget.seconds is None or run.arm == WARM_UP:
        return run.config.images
    rate = rates.images_per_second.get(run.arm) if rates else None
    return rate * plan.budget.seconds if rate else None


def _all(values: Iterable[float | None]) -> list[float] | None:
    found = list(values)
    known = [value for value in found if value is not None]
    return known if len(known) == len(found) else None


def _sum(values: Iterable[float | None]) -> float | None:
    known = _all(values)
    return None if known is None else sum(known)
