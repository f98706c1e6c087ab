"""Figure 2 left of the poster: how large each loss term is at the end, and how it moved over the time of training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator, StrMethodFormatter

from facegan.config import TERMS
from facegan.study.plan import Plan, Trial, trial_folder
from facegan.study.summary import best_trials

# Okabe and Ito's colours, told apart by every kind of eye; line styles help in print.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#000000", "#CC79A7", "#E69F00", "#56B4E9")
_STYLES = ("-", "--", "-.", ":")
_ABSENT = "#777777"
_END_SHARE = 0.1
"""'At the end' is the mean over this share of the rows."""
_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class Curve:
    """The rows of metrics of an arm's shown run, and how it is drawn."""

    label: str
    rows: list[dict[str, Any]]
    colour: str
    style: str

    def series(self, metric: str) -> tuple[list[float], list[float]]:
        """Seconds of training and values, where the metric was measured."""
        found = [(row["seconds"], row[metric]) for row in self.rows if metric in row]
        return [seconds for seconds, _ in found], [value for _, value in found]

    def at_end(self, metric: str) -> float | None:
        """The mean over the last tenth of the rows, or None where it was not computed."""
        values = self.series(metric)[1]
        return float(np.mean(values[-max(1, round(len(values) * _END_SHARE)) :])) if values else None


@dataclass(frozen=True, slots=True)
class _Clock:
    """The unit of time on every panel, how many seconds it has, and where the longest run ends in it."""

    unit: str
    seconds: float
    end: float


def curves(study: Path, plan: Plan) -> list[Curve]:
    """One curve an arm: the run that Figure 2 shows, or before its first checkpoint whatever run has rows."""
    shown = best_trials(plan, study)
    found = []
    for i, arm in enumerate(plan.arms):
        trials = [shown[arm.name]] if arm.name in shown else [t for t in plan.trials if t.arm == arm.name]
        rows = next((rows for rows in (_rows(study, t) for t in trials) if rows), [])
        found.append(Curve(arm.label, rows, _COLOURS[i % len(_COLOURS)], _STYLES[i % len(_STYLES)]))
    return found


def _rows(study: Path, trial: Trial) -> list[dict[str, Any]]:
    return trial_folder(study, trial).rows()


def active_terms(plan: Plan) -> list[str]:
    """The loss terms that any arm computes, in the order of the configuration."""
    return [term for term in TERMS if any(term in trial.config.loss.active() for trial in plan.trials)]


def losses_figure(study: Path, plan: Plan) -> Figure:
    """Bars of each term at the end, one colour an arm, above small panels of its curve over seconds of training."""
    lines, terms = curves(study, plan), active_terms(plan)
    panels = _panels(lines, terms)
    rows = -(-len(panels) // _COLUMNS)
    figure = Figure(figsize=(14, 4.6 + 2.9 * rows), dpi=100, facecolor="white", layout="constrained")
    grid = figure.add_gridspec(rows + 1, _COLUMNS, height_ratios=[1.5, *[1.0] * rows])
    _draw_bars(figure.add_subplot(grid[0, :]), lines, terms)
    _legend(figure, lines)
    clock = _clock(lines)
    for i, (metric, title) in enumerate(panels.items()):
        axes = figure.add_subplot(grid[1 + i // _COLUMNS, i % _COLUMNS])
        _draw_panel(axes, lines, metric, title, clock)
    return figure


def write_losses_figure(study: Path, plan: Plan) -> None:
    """Draw `losses.png` of a study folder."""
    losses_figure(study, plan).savefig(study / "losses.png")


def _panels(lines: Sequence[Curve], terms: Sequence[str]) -> dict[str, str]:
    panels = {f"loss/{term}": term.replace("_", " ") for term in terms}
    panels["discriminator/accuracy"] = "discriminator accuracy"
    judged = {metric for line in lines for row in line.rows for metric in row if metric.endswith("/face_error")}
    return panels | {metric: f"face error, {metric.split('/')[0]} clips, grey levels" for metric in sorted(judged)}


def _draw_bars(axes: Axes, lines: Sequence[Curve], terms: Sequence[str]) -> None:
    drawn = [line for line in lines if line.rows]
    values = [[line.at_end(f"loss/{term}") for term in terms] for line in drawn]
    logs = [[None if v is None or v <= 0 else float(np.log10(v)) for v in row] for row in values]
    known = [v for row in logs for v in row if v is not None]
    floor, ceiling = (float(np.floor(min(known))) - 0.5, max(known) + 0.5) if known else (-1.0, 1.0)
    width = 0.84 / max(1, len(drawn))
    for i, (line, row) in enumerate(zip(drawn, logs, strict=True)):
        offset = (i - (len(drawn) - 1) / 2) * width
        for t, value in enumerate(row):
            _draw_bar(axes, t + offset, width, value, floor, line.colour)
    axes.set_xticks(range(len(terms)), [term.replace("_", "\n") for term in terms], fontsize=11)
    axes.set_ylim(floor, ceiling)
    axes.set_ylabel("log10 of the loss, unweighted", fontsize=11)
    axes.set_title("Each loss term at the end of training (mean over the last tenth of training)", loc="left", fontsize=13)
    axes.spines[["top", "right"]].set_visible(False)


def _legend(figure: Figure, lines: Sequence[Curve]) -> None:
    handles = [
        Line2D([], [], color=line.colour, ls=line.style, lw=3, label=line.label + ("" if line.rows else " (no rows)"))
        for line in lines
    ]
    absent = Line2D([], [], color=_ABSENT, marker="x", ls="", label="not computed: the arm leaves this term out")
    figure.legend(handles=[*handles, absent], loc="outside upper left", ncols=len(handles) + 1, frameon=False, fontsize=12)


def _draw_bar(axes: Axes, x: float, width: float, value: float | None, floor: float, colour: str) -> None:
    if value is None:
        axes.plot([x], [floor + 0.15], "x", color=_ABSENT)
        return
    axes.bar([x], [value - floor], width * 0.92, bottom=floor, color=colour)
    axes.text(x, value + 0.04, f"{value:.1f}", ha="center", va="bottom", fontsize=9)


def _draw_panel(axes: Axes, lines: Sequence[Curve], metric: str, title: str, clock: _Clock) -> None:
    for line in lines:
        seconds, values = line.series(metric)
        marker = "o" if metric.endswith("/face_error") else ""
        axes.plot(np.array(seconds) / clock.seconds, values, line.style, color=line.colour, marker=marker, ms=3, lw=1.5)
    if metric.startswith("loss/"):
        _make_logarithmic(axes)
    if metric == "discriminator/accuracy":
        axes.set_ylim(0, 1)
        axes.axhline(0.5, color="#999999", lw=0.8)
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlim(0, clock.end)
    axes.set_xlabel(f"training time, {clock.unit}")
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(color="#dddddd", lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _make_logarithmic(axes: Axes) -> None:
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high < 10 * low:
        # Powers of ten are too far apart for a curve that stays within one.
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _clock(lines: Sequence[Curve]) -> _Clock:
    longest = max((row["seconds"] for line in lines for row in line.rows), default=0.0)
    unit, seconds = ("seconds", 1.0) if longest <= 300 else ("minutes", 60.0) if longest <= 3 * 3600 else ("hours", 3600.0)
    return _Clock(unit, seconds, max(longest, 1.0) / seconds * 1.03)
