"""Effects of larger designs at a glance: a half-normal plot for each metric, and its largest interactions.

In a half-normal plot effects that are noise lie on a line through the origin, and others to the right of it: Daniel (1959),
Technometrics 1, 311-341. The line's slope is the standard error of an effect over the seeds. With one seed it is the pseudo
standard error of Lenth (1989), Technometrics 31, 469-473, which takes most effects for noise.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from facegan.metrics.table import display_name
from facegan.report.formatting import factor_label
from facegan.report.palette import colour_of
from facegan.study.analysis.effect_records import EffectEstimate, MetricEffects, StudyEffects
from facegan.study.conclusions.arms import ArmSummary
from facegan.study.design.plan import Plan

LEAST_ARMS = 8
"""Arms from which a design has enough effects for a half-normal plot."""
_INTERACTIONS = 3
"""Interaction plots for each metric."""
_NAMED = 3
"""Effects that are named at least, the largest."""
_LEVEL = 0.05


def write_effect_figure(study: Path, plan: Plan, effects: StudyEffects | None, arms: Sequence[ArmSummary]) -> None:
    """Draw effects.png into the study folder, for designs of eight arms and more of which effects are known."""
    figure = effect_figure(plan, effects, arms)
    if figure is not None:
        figure.savefig(study / "effects.png")


def effect_figure(plan: Plan, effects: StudyEffects | None, arms: Sequence[ArmSummary]) -> Figure | None:
    """A row for each metric: the half-normal plot, then the largest interactions; None for a smaller design."""
    known = [found for found in effects.metrics.values() if found.effects] if effects else []
    if len(plan.arms) < LEAST_ARMS or not known:
        return None
    columns = 1 + max(len(_largest_interactions(found)) for found in known)
    figure = Figure(figsize=(4.6 * columns, 3.7 * len(known)), dpi=100, facecolor="white", layout="constrained")
    grid = figure.subplots(len(known), columns, squeeze=False)
    for panels, found in zip(grid, known, strict=True):
        _draw_half_normal(panels[0], found)
        pairs = _largest_interactions(found)
        for axes, effect in zip(panels[1:], pairs, strict=False):
            _draw_interaction(axes, effect, found.metric, _means_of_levels(plan, arms, effect, found.metric))
            axes.sharey(panels[1])
        for axes in panels[1 + len(pairs) :]:
            axes.axis("off")
    return figure


def lenth_error(sizes: NDArray[np.float64]) -> float:
    """The pseudo standard error of effects from their absolute sizes [n], as if most of them were noise."""
    first = 1.5 * float(np.median(sizes))
    rest = sizes[sizes < 2.5 * first]
    return 1.5 * float(np.median(rest)) if len(rest) else first


def _draw_half_normal(axes: Axes, found: MetricEffects) -> None:
    from scipy import special  # slow to import, which a study without this figure need not wait for

    effects = sorted(found.effects, key=lambda effect: abs(effect.estimate))
    sizes = np.array([abs(effect.estimate) for effect in effects])
    quantiles = special.ndtri(0.5 + 0.5 * (np.arange(len(effects)) + 0.5) / len(effects))
    errors = [effect.standard_error for effect in effects if effect.standard_error is not None]
    error = float(np.median(errors)) if errors else lenth_error(sizes)
    axes.axline((0, 0), (max(error, 1e-12), 1.0), color="#999999", lw=1, ls="--", zorder=1)
    for place, (effect, size, quantile) in enumerate(zip(effects, sizes, quantiles, strict=True)):
        is_decided = effect.p_holm is not None and effect.p_holm <= _LEVEL
        axes.plot(size, quantile, "o", color=colour_of(0), mfc=colour_of(0) if is_decided else "white", ms=7, zorder=3)
        if is_decided or place >= len(effects) - _NAMED:
            is_right = size > 0.5 * sizes[-1]
            sign = "+" if effect.estimate > 0 else "\N{MINUS SIGN}"
            axes.annotate(
                f"{_label(effect)} ({sign})",
                (size, quantile),
                (-9 if is_right else 9, -4),
                textcoords="offset points",
                ha="right" if is_right else "left",
                fontsize=8.5,
            )
    largest = max(sizes[-1], 1e-12)
    axes.set_xlim(-0.04 * largest, 1.08 * largest)
    axes.set_ylim(0, 1.15 * quantiles[-1])
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_title(f"{display_name(found.metric)}: all {len(effects)} effects", loc="left", fontsize=11)
    axes.set_xlabel("size of the effect; filled: decided after Holm")
    axes.set_ylabel("half-normal quantile")


def _draw_interaction(axes: Axes, effect: EffectEstimate, metric: str, means: dict[tuple[int, int], float]) -> None:
    """A line for each level of the second factor, from the first factor off to on; parallel lines: no interaction."""
    first, second = effect.members[0]
    for number, level in enumerate((-1, 1)):
        ends = [(x, means[x, level]) for x in (-1, 1) if (x, level) in means]
        label = f"{factor_label(second)} {'on' if level > 0 else 'off'}"
        axes.plot(*zip(*ends, strict=True), "o-" if level > 0 else "o--", color=colour_of(number), lw=2, ms=6, label=label)
    axes.set_xticks((-1, 1), (f"{factor_label(first)} off", "on"))
    axes.set_xlim(-1.3, 1.3)
    axes.margins(y=0.15)
    p = "" if effect.p_holm is None else f", p {'< 0.001' if effect.p_holm < 0.001 else f'{effect.p_holm:.3f}'}"
    axes.set_title(f"{_label(effect)}: {effect.estimate:+.2g}{p}".replace("-", "\N{MINUS SIGN}"), loc="left", fontsize=9.5)
    axes.set_ylabel(display_name(metric))
    axes.legend(fontsize=9)


def _largest_interactions(found: MetricEffects) -> list[EffectEstimate]:
    """Of two factors, the largest first."""
    pairs = [effect for effect in found.effects if effect.order == 2]
    return sorted(pairs, key=lambda effect: -abs(effect.estimate))[:_INTERACTIONS]


def _means_of_levels(
    plan: Plan, arms: Sequence[ArmSummary], effect: EffectEstimate, metric: str
) -> dict[tuple[int, int], float]:
    """The mean score by the levels of an interaction's two factors, over the arms that have scores."""
    first, second = effect.members[0]
    levels = {arm.name: arm.levels for arm in plan.arms if arm.levels}
    scores: dict[tuple[int, int], list[float]] = {}
    for arm in arms:
        score = arm.scores.get(metric)
        if arm.name in levels and score is not None and score.mean is not None:
            scores.setdefault((levels[arm.name][first], levels[arm.name][second]), []).append(score.mean)
    return {cell: float(np.mean(values)) for cell, values in scores.items()}


def _label(effect: EffectEstimate) -> str:
    """The factors' labels, with the number of aliases."""
    others = len(effect.members) - 1
    words = " \N{MULTIPLICATION SIGN} ".join(factor_label(name) for name in effect.members[0])
    return f"{words} (or {others} alias{'es' * (others > 1)})" if others else words
