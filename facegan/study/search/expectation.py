"""What a search will take: its rule replayed on candidates of which it is drawn by lot which are better."""

import random
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from statistics import fmean

from facegan.study.cost.rates import Rates
from facegan.study.cost.schedule import Work, seconds_of_stretch, whole_runs
from facegan.study.design.plan import Plan, Trial
from facegan.study.folder.trial_folder import trial_folder
from facegan.study.search.halving import Halving
from facegan.study.search.objectives import Measured
from facegan.study.search.replay import Replayed, replay
from facegan.study.search.rungs import Rungs

_REPLAYS, _CANDIDATES = 50, 2_000
"""As many replays, or so many that they have about this number of candidates together, but two at least."""


def expected_work(
    plan: Plan,
    todo: Sequence[Trial],
    warm_ups: Sequence[Trial],
    rates: Rates | None,
    at_once: int,
    *,
    study: Path | None = None,
) -> Work:
    """What the candidates `todo` of a search and these warm-ups take with so many at once: means over replays of its rule.

    In a replay candidates keep their order from rung to rung, and one that has come further is better. Of a search that has
    begun, `study` has its folder. `plan` has all candidates, also those that are not proposed yet. Without rates all arms are
    taken to be equally fast, and the seconds are None.
    """
    folders = {trial: trial_folder(study, trial) for trial in plan.trials} if study else {}
    done = {trial.key: folders[trial].state().images if study else 0 for trial in plan.trials}
    draw = random.Random(0)
    replays = [_replayed(plan, todo, done, rates, at_once, draw) for _ in range(_count(len(plan.trials)))]
    first = whole_runs(plan, [], warm_ups, rates, at_once)
    arms = {arm: [trial.key for trial in todo if trial.arm == arm] for arm in dict.fromkeys(trial.arm for trial in todo)}
    known = rates is not None and all(arm in rates.images_per_second for arm in arms)
    return Work(
        {**first.images, **{arm: fmean(sum(r.images[key] for key in keys) for r in replays) for arm, keys in arms.items()}},
        {
            **first.seconds,
            **{arm: fmean(sum(r.seconds[k] for k in keys) for r in replays) if known else None for arm, keys in arms.items()},
        },
        first.wall_seconds + fmean(r.wall_seconds for r in replays) if known and first.wall_seconds is not None else None,
    )


def _count(candidates: int) -> int:
    return max(2, min(_REPLAYS, _CANDIDATES // candidates))


def _replayed(
    plan: Plan, todo: Sequence[Trial], done: dict[str, int], rates: Rates | None, at_once: int, draw: random.Random
) -> Replayed:
    assert plan.search is not None, "a plan without candidates"
    trials = {trial.key: trial for trial in plan.trials}
    scores, rungs = _scores(plan, done, draw), {}
    for arm in plan.arms:
        of_arm = [trial for trial in plan.trials if trial.arm == arm.name]
        rungs[arm.name] = Rungs(of_arm[0].config.checkpoint_at, _by_score)
        for key in (trial.key for trial in of_arm):
            for images in (images for images in trials[key].config.checkpoint_at if images <= done[key]):
                rungs[arm.name].record(key, _measured(scores, key, images))
    waiting = [trial.key for trial in todo if 0 < done[trial.key] == rungs[trial.arm].last_rung(trial.key)]
    later = _generations(plan.search.at_a_time(), [trial for trial in todo if trial.key not in waiting])
    new = later.pop(0) if later else []
    arms = {trial.key: trial.arm for trial in plan.trials}
    return replay(
        Halving(arms, rungs, new, waiting, lambda: not later, _whole(plan, done), plan.search.finalists),
        {t.key: [n for n in (*t.config.checkpoint_at, t.config.images) if n > rungs[t.arm].last_rung(t.key)] for t in todo},
        partial(_measured, scores),
        lambda key, start, end, starts: _seconds(trials[key], start, end, rates, starts=starts),
        at_once,
        later,
    )


def _seconds(trial: Trial, start: int, end: int, rates: Rates | None, *, starts: bool) -> float:
    found = seconds_of_stretch(trial, start, end, rates, starts=starts) if rates else None
    return float(end - start) if found is None else found


def _whole(plan: Plan, done: dict[str, int]) -> list[str]:
    return [trial.key for trial in plan.trials if done[trial.key] >= trial.config.images]


def _generations(size: int, new: Sequence[Trial]) -> list[list[str]]:
    """The candidates, which are in order, by when they are proposed."""
    return [[trial.key for trial in found] for _, found in groupby(new, key=lambda trial: trial.candidate // size)]


def _scores(plan: Plan, done: dict[str, int], draw: random.Random) -> dict[str, float]:
    """A score for each candidate, less is better; of those that have begun, the ones that have come further are better."""
    scores = {trial.key: draw.random() for trial in plan.trials}
    for arm in plan.arms:
        begun = [trial.key for trial in plan.trials if trial.arm == arm.name and done[trial.key]]
        draw.shuffle(begun)
        best = sorted(scores[key] for key in begun)
        scores |= zip(sorted(begun, key=lambda key: -done[key]), best, strict=True)
    return scores


def _measured(scores: dict[str, float], key: str, images: int) -> Measured:
    return Measured(images, (1.0, 1.0, 1.0), scores[key], True)


def _by_score(found: Sequence[Measured]) -> list[int]:
    return sorted(range(len(found)), key=lambda i: found[i].score)
