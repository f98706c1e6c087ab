"""Effects as the report draws them: positions on the forest plots, and the matrix of interactions."""

from dataclasses import dataclass

from facegan.study.analysis.effect_records import Bounds, EffectEstimate, MetricEffects, StudyEffects

_HALF_WIDTH = 46.0
"""Percent of the plot's width from zero, in the middle, to the end of the longest interval."""


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One effect of a forest plot; positions in percent of the plot's width."""

    effect: EffectEstimate
    at: float
    """Position of the estimate."""
    bar: Bounds | None
    """Ends of the interval, or of the bootstrap interval where there is no other."""


@dataclass(frozen=True, slots=True)
class ForestPlot:
    """The effects on one metric."""

    found: MetricEffects
    rows: tuple[ForestRow, ...]
    limit: float
    """The largest absolute value on the plot, in the metric's units."""


@dataclass(frozen=True, slots=True)
class MatrixCell:
    """A main effect or an interaction in the matrix."""

    effect: EffectEstimate
    strength: float
    """Size of the estimate over that of the largest; positive where the effect helps."""


def forest_plots(effects: StudyEffects | None) -> list[ForestPlot]:
    """A forest plot for each headline metric."""
    return [] if effects is None else [_forest_plot(found) for found in effects.metrics.values()]


def _forest_plot(found: MetricEffects) -> ForestPlot:
    drawn = [(effect, effect.interval or effect.bootstrap) for effect in found.effects]
    ends = [abs(value) for effect, interval in drawn for value in (effect.estimate, *(interval or ()))]
    limit = max(ends, default=0.0) or 1.0

    def position(value: float) -> float:
        return round(50 + _HALF_WIDTH * value / limit, 2)

    rows = tuple(
        ForestRow(effect, position(effect.estimate), (position(interval[0]), position(interval[1])) if interval else None)
        for effect, interval in drawn
    )
    return ForestPlot(found, rows, limit)


def interaction_matrices(effects: StudyEffects | None) -> dict[str, list[list[MatrixCell | None]]]:
    """By metric, factors by factors: main effects on the diagonal, interactions below it, None elsewhere."""
    if effects is None:
        return {}
    return {metric: _matrix(found, effects.factors) for metric, found in effects.metrics.items()}


def _matrix(found: MetricEffects, factors: tuple[str, ...]) -> list[list[MatrixCell | None]]:
    largest = max((abs(effect.estimate) for effect in found.effects), default=0.0) or 1.0
    cells = {}
    for effect in found.effects:
        size = abs(effect.estimate) / largest
        for word in effect.members:
            cells[frozenset(word)] = MatrixCell(effect, size if effect.helps else -size)
    return [[cells.get(frozenset((a, b))) if j <= i else None for j, b in enumerate(factors)] for i, a in enumerate(factors)]
