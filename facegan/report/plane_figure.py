"""The plane: how far each arm follows the target against how much it keeps the person, with what each factor does."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from facegan.config import LABELS
from facegan.report.palette import colour_of
from facegan.study.analysis.plane import FactorArrow, Plane
from facegan.study.design.plan import Plan

_REFERENCE = "#666666"
_MARGIN = 0.08
"""Share of the range of all points that is left free on each side."""


def write_plane_figure(study: Path, plan: Plan, plane: Plane) -> None:
    """Draw plane.png into the study folder."""
    plane_figure(plan, plane).savefig(study / "plane.png")


def plane_figure(plan: Plan, plane: Plane) -> Figure:
    """Left: reference rows, and each arm's runs around their mean. Right: an arrow for each factor, with its intervals."""
    has_arrows = bool(plane.arrows)
    figure = Figure(figsize=(13 if has_arrows else 7, 6.2), dpi=100, facecolor="white", layout="constrained")
    panels = figure.subplots(1, 2 if has_arrows else 1, squeeze=False)[0]
    _draw_arms(panels[0], plan, plane)
    if has_arrows:
        _draw_arrows(panels[1], plan, plane)
    limits = _limits(plane)
    for axes in panels:
        axes.set_xlim(*limits[0])
        axes.set_ylim(*limits[1])
        axes.set_xlabel("follows the target: 0 = source copied, 1 = real target", fontsize=11)
        axes.grid(color="#e4e4e4", lw=0.7)
        axes.set_axisbelow(True)
    panels[0].set_ylabel("keeps the person: 0 = another person, 1 = the person", fontsize=11)
    return figure


def _draw_arms(axes: Axes, plan: Plan, plane: Plane) -> None:
    axes.set_title("Arms: a small mark for each seed, a large one for their mean", loc="left", fontsize=12)
    for name, point in plane.references.items():
        axes.plot(point.following, point.kept, "D", color=_REFERENCE, ms=8, mfc="white", mew=1.6, zorder=3)
        is_right = point.following > 0.5
        axes.annotate(
            name,
            (point.following, point.kept),
            (-9 if is_right else 9, 9),
            textcoords="offset points",
            color=_REFERENCE,
            fontsize=10,
            ha="right" if is_right else "left",
        )
    places = {arm.name: (number, arm.label) for number, arm in enumerate(plan.arms)}
    for found in plane.arms:
        number, label = places[found.arm]
        colour, mean = colour_of(number), found.mean
        for point in found.points:
            axes.plot(
                [mean.following, point.following], [mean.kept, point.kept], "-", color=colour, lw=0.8, alpha=0.5, zorder=4
            )
            axes.plot(point.following, point.kept, "o", color=colour, ms=5, alpha=0.65, mew=0, zorder=4)
        axes.plot(mean.following, mean.kept, "o", color=colour, ms=11, mec="white", mew=1.2, zorder=5, label=label)
    axes.legend(loc="lower left", fontsize=11, framealpha=0.95)


def _draw_arrows(axes: Axes, plan: Plan, plane: Plane) -> None:
    axes.set_title("Factors: from the runs without it to the runs with it", loc="left", fontsize=12)
    for point in plane.references.values():
        axes.plot(point.following, point.kept, "D", color=_REFERENCE, ms=8, mfc="white", mew=1.6, zorder=3)
    for number, arrow in enumerate(plane.arrows):
        _draw_arrow(axes, arrow, colour_of(number))
    if any(arrow.following_interval for arrow in plane.arrows):
        axes.text(
            0.01,
            0.01,
            "box: 95 % intervals of both changes",
            transform=axes.transAxes,
            fontsize=10,
            color=_REFERENCE,
            va="bottom",
        )


def _draw_arrow(axes: Axes, arrow: FactorArrow, colour: str) -> None:
    start = (arrow.start.following, arrow.start.kept)
    end = (start[0] + arrow.change.following, start[1] + arrow.change.kept)
    if arrow.following_interval and arrow.kept_interval:
        (left, right), (low, high) = arrow.following_interval, arrow.kept_interval
        corner = (start[0] + left, start[1] + low)
        axes.add_patch(Rectangle(corner, right - left, high - low, fc=colour, ec=colour, alpha=0.16, lw=1, zorder=2))
    axes.plot(*start, "o", color=colour, ms=5, zorder=4)
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=20, color=colour, lw=2.2, zorder=5, shrinkB=0))
    label = "+".join(LABELS[part].label for part in arrow.factor.split("+"))
    axes.annotate(f"with {label}", end, (8, 8), textcoords="offset points", color=colour, fontsize=11, weight="bold", zorder=6)


def _limits(plane: Plane) -> tuple[tuple[float, float], tuple[float, float]]:
    """Of both axes: all reference rows, runs and arrow tips, and the unit square at least."""
    points = [*plane.references.values(), *(p for arm in plane.arms for p in arm.points)]
    across, up = [0.0, 1.0, *(p.following for p in points)], [0.0, 1.0, *(p.kept for p in points)]
    for arrow in plane.arrows:
        across.append(arrow.start.following + arrow.change.following)
        up.append(arrow.start.kept + arrow.change.kept)
    (left, right), (low, high) = ((min(values), max(values)) for values in (across, up))
    wide, tall = _MARGIN * (right - left), _MARGIN * (high - low)
    return (left - wide, right + wide), (low - tall, high + tall)
