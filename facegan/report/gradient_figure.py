"""The gradient diagnostics: for each arm the terms' shares and cosines over training, and the cosines at its end."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from facegan.config import TERMS
from facegan.study.analysis.gradients import ArmGradients, gradients_of_arms
from facegan.study.design.plan import Plan

_SHARE, _COSINE = ("viridis", (0.0, 1.0)), ("RdBu", (-1.0, 1.0))
"""Colours and bounds."""
_COLUMNS = (
    (_SHARE, "share of the gradients; per cent: mean of the last quarter of training"),
    (_COSINE, "cosine of two terms' gradients: -1 opposed, 1 aligned"),
    (_COSINE, "cosines in the last quarter of training"),
)
_ROW, _HEAD, _LEAST = 0.24, 0.55, 2.2
"""Heights in inches of a row of a heat map, of the title and axis around one, and of a row of the figure at least."""
_NUMBERS = 8
"""Columns of a heat map over training up to which its values are written into it."""


def gradient_figure(study: Path, plan: Plan) -> Figure | None:
    """A row for each arm; None where nothing was measured.

    Left: each term's share of the gradients with respect to the generator's parameters, over training. Middle: cosines of
    pairs of terms, over training. Right: the same cosines in the last quarter of training, terms against terms.
    """
    arms = gradients_of_arms(study, plan)
    if not arms:
        return None
    heights = [max(_LEAST, _HEAD + _ROW * max(len(a.share), len(a.cosine))) for a in arms.values()]
    figure = Figure(figsize=(18, sum(heights) + 0.9), dpi=100, facecolor="white", layout="constrained")
    grid = figure.add_gridspec(len(arms), 3, height_ratios=heights, width_ratios=(1.2, 1.2, 1))
    labels = {arm.name: arm.label for arm in plan.arms}
    columns: tuple[list[Axes], ...] = ([], [], [])
    for row, (name, found) in enumerate(arms.items()):
        for column in range(3):
            columns[column].append(figure.add_subplot(grid[row, column]))
            columns[column][-1].set_title(labels[name], loc="left", fontsize=11)
        _draw_over_training(columns[0][-1], found.share, found.images, *_SHARE)
        shares = [f"{_short(term)} {spread.mean:.0%}" for term, spread in found.last_quarter.share.items()]
        columns[0][-1].set_yticks(range(len(shares)), shares, fontsize=9)
        if found.cosine:
            _draw_over_training(columns[1][-1], found.cosine, found.images, *_COSINE)
            _draw_cosines(columns[2][-1], found)
        else:
            for axes in (columns[1][-1], columns[2][-1]):
                axes.axis("off")
                axes.text(0.5, 0.5, "a single term", ha="center", va="center", fontsize=10, transform=axes.transAxes)
    for axes_of_column, ((colours, bounds), meaning) in zip(columns, _COLUMNS, strict=True):
        scale = ScalarMappable(Normalize(*bounds), colours)
        figure.colorbar(scale, ax=axes_of_column, location="top", aspect=45, shrink=0.8, label=meaning)
    return figure


def _draw_over_training(
    axes: Axes, rows: Mapping[str, Sequence[float]], images: Sequence[int], colours: str, bounds: tuple[float, float]
) -> None:
    values: NDArray[np.float64] = np.array(list(rows.values()))
    axes.imshow(values, cmap=colours, vmin=bounds[0], vmax=bounds[1], aspect="auto", interpolation="nearest")
    axes.set_yticks(range(len(rows)), [_short(name) for name in rows], fontsize=9)
    ticks = np.unique(np.linspace(0, len(images) - 1, min(6, len(images))).round().astype(int))
    axes.set_xticks(ticks, [f"{images[i]:,}" for i in ticks], fontsize=9)
    axes.set_xlabel("training images", fontsize=9)
    if values.shape[1] <= _NUMBERS:
        _write_values(axes, values, bounds)


def _draw_cosines(axes: Axes, found: ArmGradients) -> None:
    """Terms against terms; 1 on the diagonal."""
    terms = list(found.share)
    values: NDArray[np.float64] = np.eye(len(terms))
    for pair, spread in found.last_quarter.cosine.items():
        a, b = (terms.index(term) for term in pair.split("~"))
        values[a, b] = values[b, a] = spread.mean
    colours, bounds = _COSINE
    axes.imshow(values, cmap=colours, vmin=bounds[0], vmax=bounds[1], aspect="auto", interpolation="nearest")
    names = [_short(term) for term in terms]
    axes.set_yticks(range(len(terms)), names, fontsize=9)
    axes.set_xticks(range(len(terms)), names, fontsize=9)
    _write_values(axes, values, bounds)


def _write_values(axes: Axes, values: NDArray[np.float64], bounds: tuple[float, float]) -> None:
    low, high = bounds
    for y, x in np.ndindex(*values.shape):
        # The dark colours are the low ones of viridis, and both ends of RdBu.
        dark = values[y, x] < 0.6 if low == 0 else abs(values[y, x]) > 0.6 * high
        # Adding 0 makes a 0 of -0.
        axes.text(
            x,
            y,
            f"{round(float(values[y, x]), 2) + 0:.2f}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if dark else "black",
        )


def _short(name: str) -> str:
    return " ~ ".join(TERMS[part].short for part in name.split("~"))


def write_gradient_figure(study: Path, plan: Plan) -> None:
    """Draw gradient_diagnostics.png into the study folder, if the diagnostics were measured."""
    figure = gradient_figure(study, plan)
    if figure is not None:
        figure.savefig(study / "gradient_diagnostics.png")
