"""How much of the scatter of a metric comes from the seeds, from the people, and from what these do in single arms.

A study crosses arms, seeds and people. Arms are fixed, the others are samples, and each part is an independent random effect.
The parts are estimated from the mean squares of the analysis of variance: Searle, Casella and McCulloch (1992), Variance
Components, chapter 4. A negative estimate counts as 0.
"""

import numpy as np

from facegan.study.analysis.effect_records import VarianceComponents
from facegan.study.analysis.model import Floats
from facegan.study.analysis.runs import RunTable

_LEAST = 2
"""Arms, seeds and people of each."""


def variance_components(table: RunTable) -> VarianceComponents | None:
    """The parts of the variance of one run's score on one person; None with too few runs, or where a seed lacks an arm."""
    values = _crossed(table)
    if values is None or min(values.shape) < _LEAST:
        return None
    arms, seeds, people = values.shape
    by_seed, by_person = _mean_square(values, (1,)), _mean_square(values, (2,))
    by_run, by_arm_and_person = _mean_square(values, (0, 1)), _mean_square(values, (0, 2))
    by_seed_and_person, rest = _mean_square(values, (1, 2)), _mean_square(values, (0, 1, 2))

    def part(excess: float, count: int) -> float:
        return max(0.0, excess / count)

    return VarianceComponents(
        seeds=part(by_seed - by_run - by_seed_and_person + rest, arms * people),
        runs=part(by_run - rest, people),
        people=part(by_person - by_arm_and_person - by_seed_and_person + rest, arms * seeds),
        people_by_arm=part(by_arm_and_person - rest, seeds),
        rest=part(by_seed_and_person - rest, arms) + rest,
    )


def _crossed(table: RunTable) -> Floats | None:
    """[arms, seeds, people]; None where a seed lacks an arm."""
    arms, seeds = list(dict.fromkeys(run.arm for run in table.runs)), sorted(set(table.seeds))
    places = {(run.arm, run.seed): i for i, run in enumerate(table.runs)}
    if len(places) != len(table.runs) or len(places) != len(arms) * len(seeds):
        return None
    return np.array([[table.values[places[arm, seed]] for seed in seeds] for arm in arms])


def _mean_square(values: Floats, axes: tuple[int, ...]) -> float:
    """Of the interaction of these axes, or of one axis alone: what is left of the means after all lower orders."""
    others = tuple(axis for axis in range(values.ndim) if axis not in axes)
    left = values.mean(axis=others, keepdims=True)
    for axis in axes:
        left = left - left.mean(axis=axis, keepdims=True)
    degrees = int(np.prod([values.shape[axis] - 1 for axis in axes]))
    repeats = int(np.prod([values.shape[axis] for axis in others]))
    return float(np.square(left).sum() * repeats / degrees)
