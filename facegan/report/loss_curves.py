"""The left part of the poster's Figure 2: each loss term at the end of training, and its curve over time or images."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator, StrMethodFormatter
from numpy.typing import NDArray

from facegan.config import TERMS
from facegan.report.palette import COLOURS, STYLES
from facegan.study.analysis.model_selection import runs_of_arms
from facegan.study.design.plan import Plan
from facegan.study.folder.trial_folder import MetricsRow, trial_folder

_ABSENT = "#777777"
_END_SHARE = 0.1
"""Share of the rows whose mean is the value at the end of training."""
_COLUMNS = 4
_LEGEND_COLUMNS = 5
_NUMBERS = 8
"""Number of arms up to which the bars' values are written above them."""
_WIDTH, _LEFT, _RIGHT, _GAP = 14.0, 0.8, 0.2, 0.75
"""Widths in inches: of the figure, of its margins, and between panels."""
_LEGEND_LINE, _HEAD, _BARS, _PANEL, _FOOT = 0.27, 0.35, 3.0, 2.05, 0.58
"""Heights in inches: of a line of the legend, of a title, of the bars, of a panel, and of an axis with its label."""


ClockName = Literal["seconds", "images"]


@dataclass(frozen=True, slots=True)
class Curve:
    """The rows of metrics of an arm's runs, one run for each seed, and the style in which they are drawn."""

    label: str
    runs: list[list[MetricsRow]]
    colour: str
    style: str

    def series(self, metric: str, clock: ClockName) -> NDArray[np.float64]:
        """[4, n]: clock, mean, minimum and maximum over the runs, at the rows that have the metric.

        Rows are joined by training images; the clock is their mean.
        """
        at: dict[int, list[tuple[float, float]]] = defaultdict(list)
        for row in (row for run in self.runs for row in run if metric in row.metrics):
            at[row.images].append((getattr(row, clock), row.metrics[metric]))
        columns = [np.array(at[images]) for images in sorted(at)]
        found = [(c[:, 0].mean(), c[:, 1].mean(), c[:, 1].min(), c[:, 1].max()) for c in columns]
        return np.array(found, np.float64).reshape(-1, 4).T

    def at_end(self, metric: str) -> float | None:
        """The mean over the last tenth of each run's rows and over the runs; None where it was not computed."""
        runs = [[row.metrics[metric] for row in run if metric in row.metrics] for run in self.runs]
        ends = [np.mean(values[-max(1, round(len(values) * _END_SHARE)) :]) for values in runs if values]
        return float(np.mean(ends)) if ends else None


@dataclass(frozen=True, slots=True)
class _Clock:
    """The horizontal axis of all panels."""

    key: ClockName
    label: str
    unit: float
    """Seconds or images in one unit of the axis."""
    end: float
    """Right limit of the axis, in its units."""


def curves(study: Path, plan: Plan) -> list[Curve]:
    """One curve for each arm."""
    found = []
    for i, (arm, runs) in enumerate(zip(plan.arms, runs_of_arms(plan, study).values(), strict=True)):
        rows = [trial_folder(study, trial).rows() for trial in runs]
        found.append(Curve(arm.label, rows, COLOURS[i % len(COLOURS)], STYLES[i % len(STYLES)]))
    return found


def active_terms(plan: Plan) -> list[str]:
    """The loss terms that any arm computes, in the order of the configuration."""
    return [term for term in TERMS if any(term in trial.config.loss.active() for trial in plan.trials)]


class LossesFigure:
    """Bars of each term at the end of training, above a panel for each term with its curve over 'seconds' or 'images'.

    The places of all axes are fixed: measuring every label to find them takes longer than drawing.
    """

    def __init__(self, study: Path, plan: Plan) -> None:
        self._lines, terms = curves(study, plan), active_terms(plan)
        panels = _panels(self._lines, terms)
        rows, legend = -(-len(panels) // _COLUMNS), -(-len(self._lines) // _LEGEND_COLUMNS)
        height = 0.1 + _LEGEND_LINE * legend + _HEAD + _BARS + _FOOT + rows * (_HEAD + _PANEL + _FOOT)
        self.figure = Figure(figsize=(_WIDTH, height), dpi=100, facecolor="white")
        _legend(self.figure, self._lines)
        width = _WIDTH - _LEFT - _RIGHT
        top = height - 0.1 - _LEGEND_LINE * legend - _HEAD
        _draw_bars(_axes(self.figure, _LEFT, top, width, _BARS), self._lines, terms)
        top -= _BARS + _FOOT + _HEAD
        each = (width + _GAP) / _COLUMNS
        self._panels = []
        for i, (metric, title) in enumerate(panels.items()):
            row, column = divmod(i, _COLUMNS)
            below = top - row * (_PANEL + _FOOT + _HEAD)
            axes = _axes(self.figure, _LEFT + column * each, below, each - _GAP, _PANEL)
            self._panels.append(_Panel(axes, self._lines, metric, title))

    def over(self, clock: ClockName) -> Figure:
        """The figure with its curves over this clock; the same object each time."""
        axis = _clock(self._lines, clock)
        for panel in self._panels:
            panel.draw_over(axis)
        return self.figure


def _axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place in inches from the figure's left and lower edge."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, (top - height) / up, width / across, height / up))


def write_losses_figure(study: Path, plan: Plan) -> None:
    """Draw losses.png, over training time, and losses_images.png, over training images, into the study folder."""
    drawn = LossesFigure(study, plan)
    drawn.over("seconds").savefig(study / "losses.png")
    drawn.over("images").savefig(study / "losses_images.png")


def _panels(lines: Sequence[Curve], terms: Sequence[str]) -> dict[str, str]:
    """Titles of the panels by metric."""
    panels = {f"loss/{term}": term.replace("_", " ") for term in terms}
    panels["discriminator/accuracy"] = "discriminator accuracy"
    names = {metric for line in lines for run in line.runs for row in run for metric in row.metrics}
    errors = sorted(name for name in names if name.endswith("/face_error"))
    return panels | {name: f"face error, {name.split('/')[0]} clips, grey levels" for name in errors}


def _draw_bars(axes: Axes, lines: Sequence[Curve], terms: Sequence[str]) -> None:
    drawn = [line for line in lines if line.runs]
    values = [[line.at_end(f"loss/{term}") for term in terms] for line in drawn]
    logs = [[None if v is None or v <= 0 else float(np.log10(v)) for v in row] for row in values]
    known = [v for row in logs for v in row if v is not None]
    floor, ceiling = (float(np.floor(min(known))) - 0.5, max(known) + 0.5) if known else (-1.0, 1.0)
    width = 0.84 / max(1, len(drawn))
    for i, (line, row) in enumerate(zip(drawn, logs, strict=True)):
        offset = (i - (len(drawn) - 1) / 2) * width
        for t, value in enumerate(row):
            _draw_bar(axes, t + offset, width, value, floor, line.colour)
            if value is not None and len(drawn) <= _NUMBERS:
                axes.text(t + offset, value + 0.04, f"{value:.1f}", ha="center", va="bottom", fontsize=9)
    axes.set_xticks(range(len(terms)), [term.replace("_", "\n") for term in terms], fontsize=11)
    axes.set_ylim(floor, ceiling)
    axes.set_ylabel("log10 of the loss, unweighted", fontsize=11)
    axes.set_title("Each loss term at the end of training (mean over the last tenth of training)", loc="left", fontsize=13)
    axes.set_title("\u00d7  not computed: the arm leaves this term out", loc="right", fontsize=11, color=_ABSENT)
    axes.spines[["top", "right"]].set_visible(False)


def _legend(figure: Figure, lines: Sequence[Curve]) -> None:
    handles = [
        Line2D([], [], color=line.colour, ls=line.style, lw=3, label=line.label + ("" if line.runs else " (no rows)"))
        for line in lines
    ]
    figure.legend(
        handles=handles,
        loc="upper left",
        borderaxespad=0.2,
        ncols=min(len(handles), _LEGEND_COLUMNS),
        handlelength=4.5,  # long enough to tell dashes from dots
        frameon=False,
        fontsize=12,
    )


def _draw_bar(axes: Axes, x: float, width: float, value: float | None, floor: float, colour: str) -> None:
    if value is None:
        axes.plot([x], [floor + 0.15], "x", color=_ABSENT)
        return
    axes.bar([x], [value - floor], width * 0.92, bottom=floor, color=colour)


class _Panel:
    """The curves of one metric, whose horizontal axis can be changed."""

    def __init__(self, axes: Axes, lines: Sequence[Curve], metric: str, title: str) -> None:
        self._axes, self._metric = axes, metric
        self._drawn = [(line, *self._draw(line)) for line in lines]
        axes.autoscale(axis="x", enable=False)
        if metric.startswith("loss/"):
            _make_logarithmic(axes)
        if metric == "discriminator/accuracy":
            axes.set_ylim(0, 1)
            axes.axhline(0.5, color="#999999", lw=0.8)
        axes.set_title(title, loc="left", fontsize=11)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.grid(color="#dddddd", lw=0.6)
        axes.spines[["top", "right"]].set_visible(False)

    def _draw(self, line: Curve) -> tuple[Line2D, FillBetweenPolyCollection | None]:
        along, mean, least, greatest = line.series(self._metric, "images")
        marker = "o" if self._metric.endswith("/face_error") else ""
        (curve,) = self._axes.plot(along, mean, line.style, color=line.colour, marker=marker, ms=3, lw=1.5)
        if len(line.runs) == 1 or not along.size:  # an empty band would make a logarithmic axis start at 0
            return curve, None
        return curve, self._axes.fill_between(along, least, greatest, color=line.colour, alpha=0.18, lw=0)

    def draw_over(self, clock: _Clock) -> None:
        """Move the curves to this clock."""
        for line, curve, band in self._drawn:
            along, _, least, greatest = line.series(self._metric, clock.key)
            curve.set_xdata(along / clock.unit)
            if band is not None:
                band.set_data(along / clock.unit, least, greatest)
        self._axes.set_xlim(0, clock.end)
        self._axes.set_xlabel(clock.label)


def _make_logarithmic(axes: Axes) -> None:
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high < 10 * low:
        # A curve within one power of ten would get no tick label.
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _clock(lines: Sequence[Curve], key: ClockName) -> _Clock:
    longest: float = max((getattr(row, key) for line in lines for run in line.runs for row in run), default=0.0)
    if key == "images":
        label, unit = ("thousands of training images", 1000.0) if longest >= 10_000 else ("training images", 1.0)
    else:
        name, unit = ("seconds", 1.0) if longest <= 300 else ("minutes", 60.0) if longest <= 3 * 3600 else ("hours", 3600.0)
        label = f"training time, {name}"
    return _Clock(key, label, unit, max(longest, 1.0) / unit * 1.03)
