"""The plane: how far each arm follows the target against how much it keeps the person, with what each factor does."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from facegan.report.formatting import factor_label
from facegan.report.palette import colour_of, marker_of
from facegan.study.analysis.plane import Plane
from facegan.study.design.plan import Plan

_REFERENCE = "#666666"
_MARGIN = 0.08
"""Share of the range of all points that is left free on each side."""


def write_plane_figure(study: Path, plan: Plan, plane: Plane) -> None:
    """Draw plane.png into the study folder, and plane_narrow.png, one panel below the other, for phones."""
    plane_figure(plan, plane).savefig(study / "plane.png")
    plane_figure(plan, plane, is_narrow=True).savefig(study / "plane_narrow.png")


def plane_figure(plan: Plan, plane: Plane, *, is_narrow: bool = False) -> Figure:
    """First panel: reference rows, and each arm's runs around their mean. Second: an arrow for each factor, with its intervals.

    The panels are beside each other, or where `is_narrow` one below the other.
    """
    count = 2 if plane.arrows else 1
    shape = (count, 1) if is_narrow else (1, count)
    size = (6.5 * shape[1], 5.6 * shape[0])
    figure = Figure(figsize=size, dpi=100, facecolor="white", layout="constrained")
    panels = figure.subplots(*shape, squeeze=False).ravel()
    _draw_arms(panels[0], plan, plane)
    if plane.arrows:
        _draw_arrows(panels[1], plane)
    for axes in panels:
        axes.grid(color="#e4e4e4", lw=0.7)
        axes.set_axisbelow(True)
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
        colour, marker, mean = colour_of(number), marker_of(number), found.mean
        for point in found.points:
            axes.plot(
                [mean.following, point.following], [mean.kept, point.kept], "-", color=colour, lw=0.8, alpha=0.5, zorder=4
            )
            axes.plot(point.following, point.kept, marker, color=colour, ms=5, alpha=0.65, mew=0, zorder=4)
        axes.plot(mean.following, mean.kept, marker, color=colour, ms=11, mec="white", mew=1.2, zorder=5, label=label)
    across, up = _limits(plane)
    axes.set_xlim(*across)
    axes.set_ylim(*up)
    axes.set_xlabel("follows the target: 0 = source copied, 1 = real target", fontsize=11)
    axes.set_ylabel("keeps the person: 0 = another person, 1 = the person", fontsize=11)
    _draw_legend(axes)


def _draw_arrows(axes: Axes, plane: Plane) -> None:
    """What switching on each factor changes, as arrows from the origin."""
    axes.set_title("Factors: what switching one on changes (box: 95 % intervals)", loc="left", fontsize=12)
    axes.axhline(0, color="#999999", lw=0.8)
    axes.axvline(0, color="#999999", lw=0.8)
    for number, arrow in enumerate(plane.arrows):
        colour, change = colour_of(number), arrow.change
        if arrow.following_interval and arrow.kept_interval:
            (left, right), (low, high) = arrow.following_interval, arrow.kept_interval
            box = Rectangle((left, low), right - left, high - low, fc="none", ec=colour, lw=1.3, ls="--", zorder=2)
            axes.add_patch(box)
        tip = (change.following, change.kept)
        arrow_shape = FancyArrowPatch((0, 0), tip, arrowstyle="-|>", mutation_scale=20, shrinkA=0, shrinkB=0)
        arrow_shape.set(color=colour, linewidth=2.2)
        axes.add_patch(arrow_shape)
        axes.plot([], [], "-", color=colour, lw=3, label=f"{factor_label(arrow.factor)} on")
    reach = _reach(plane)
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)
    axes.set_xlabel("change of following: left towards copying, right towards the target", fontsize=11)
    axes.set_ylabel("change of identity: down loses the person, up keeps it", fontsize=11)
    _draw_legend(axes)


def _draw_legend(axes: Axes) -> None:
    """Below the panel, where it hides no point."""
    if axes.get_legend_handles_labels()[0]:  # none where no arm could be measured
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=4, fontsize=10.5, frameon=False, columnspacing=1.2)


def _reach(plane: Plane) -> float:
    """Half the width of the panel of factors: all arrows, and their boxes as far as three times the longest arrow."""
    arrows = [abs(value) for arrow in plane.arrows for value in (arrow.change.following, arrow.change.kept)]
    intervals = [i for arrow in plane.arrows for i in (arrow.following_interval, arrow.kept_interval) if i]
    longest = max(*arrows, 0.05)
    return 1.08 * max(longest, min(3 * longest, max((abs(end) for i in intervals for end in i), default=0.0)))


def _limits(plane: Plane) -> tuple[tuple[float, float], tuple[float, float]]:
    """Of both axes: all reference rows and runs, and the unit square at least."""
    points = [*plane.references.values(), *(p for arm in plane.arms for p in arm.points)]
    across, up = [0.0, 1.0, *(p.following for p in points)], [0.0, 1.0, *(p.kept for p in points)]
    (left, right), (low, high) = ((min(values), max(values)) for values in (across, up))
    wide, tall = _MARGIN * (right - left), _MARGIN * (high - low)
    return (left - wide, right + wide), (low - tall, high + tall)
