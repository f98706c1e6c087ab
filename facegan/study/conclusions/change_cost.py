"""What a change of the configuration costs: operations, which are counted, and training time, where it can be compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facegan.study.analysis.effect_records import Bounds
from facegan.study.design.change import BASE, CHANGED
from facegan.study.design.plan import Plan, Trial
from facegan.study.folder.trial_folder import TrialState, trial_folder


@dataclass(frozen=True, slots=True)
class ArmCost:
    """The cost of an arm."""

    gflop_per_image: float
    """Of a training step, as `facegan.training.flops` counts it."""
    seconds: float
    """Training time of all runs, without checkpoints and scoring."""
    images: int
    seconds_per_image: float | None
    """Of the runs that were trained beside those of the other arm; None if none were."""


@dataclass(frozen=True, slots=True)
class ChangeCost:
    """What both arms cost."""

    base: ArmCost
    changed: ArmCost
    operations: float
    """GFLOP per image, changed over base. It does not depend on where and when the arms were trained."""
    ratio: float | None
    """Training seconds per image, changed over base: the geometric mean over the seeds in `beside`; None if there are none."""
    ratio_range: Bounds | None
    """The smallest and the largest ratio of these seeds."""
    beside: tuple[int, ...]
    """Seeds whose two runs have ended, and were trained at the same time or one soon after the other: the pause is not longer
    than the shorter run. A run that was copied from another study was trained at another time."""


def cost_of_change(plan: Plan, study: Path, states: Mapping[str, TrialState]) -> ChangeCost:
    """The cost of both arms; `states` are those of the trials by key."""
    from facegan.training.flops import count_step  # imports torch, which takes seconds

    trials = {arm: {trial.seed: trial for trial in plan.trials if trial.arm == arm} for arm in (BASE, CHANGED)}
    ended = [seed for seed in plan.seeds if all(states[of[seed].key].state == "COMPLETED" for of in trials.values())]
    beside = tuple(seed for seed in ended if _beside(*(_span(study, of[seed]) for of in trials.values())))
    costs = {}
    for arm, of_arm in trials.items():
        found = [states[trial.key] for trial in of_arm.values()]
        gflop, _ = count_step(next(iter(of_arm.values())).config)
        per_image = _seconds_per_image([states[of_arm[seed].key] for seed in beside])
        costs[arm] = ArmCost(gflop, sum(state.seconds for state in found), sum(state.images for state in found), per_image)
    of_seeds = [[_seconds_per_image([states[of[seed].key]]) for of in trials.values()] for seed in beside]
    ratios = [changed / base for base, changed in of_seeds if base and changed]
    mean = float(np.exp(np.mean(np.log(ratios)))) if ratios else None
    operations = costs[CHANGED].gflop_per_image / costs[BASE].gflop_per_image
    ends = (min(ratios), max(ratios)) if ratios else None
    return ChangeCost(costs[BASE], costs[CHANGED], operations, mean, ends, beside)


def _seconds_per_image(states: Sequence[TrialState]) -> float | None:
    images = sum(state.images for state in states)
    return sum(state.seconds for state in states) / images if images else None


def _span(study: Path, trial: Trial) -> tuple[float, float] | None:
    """Unix times of the start of a run's training and of its last row; None without rows."""
    rows = trial_folder(study, trial).rows()
    return (rows[0].time - rows[0].seconds, rows[-1].time) if rows else None


def _beside(one: tuple[float, float] | None, other: tuple[float, float] | None) -> bool:
    if one is None or other is None:
        return False
    pause = max(one[0], other[0]) - min(one[1], other[1])
    return pause <= min(one[1] - one[0], other[1] - other[0])
