"""The gradient diagnostics over training: for each arm heat maps of the terms' shares and of the cosines of pairs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from facegan.config import TERMS
from facegan.study.analysis.gradients import gradients_of_arms
from facegan.study.design.plan import Plan

_KINDS = (("share", "viridis", (0, 1)), ("cosine", "RdBu", (-1, 1)))
_MEANINGS = {
    "share": "share of the gradient at the generated image",
    "cosine": "cosine of two terms' gradients: -1 opposed, 1 aligned",
}
_ROW, _HEAD = 0.24, 0.55
"""Heights in inches of a row of a heat map, and of the title and axis around one."""


def gradient_figure(study: Path, plan: Plan) -> Figure | None:
    """Left: each term's share of the gradient at the generated image. Right: cosines of pairs. None where not measured."""
    arms = gradients_of_arms(study, plan)
    if not arms:
        return None
    heights = [_HEAD + _ROW * max(len(a.share), len(a.cosine)) for a in arms.values()]
    figure = Figure(figsize=(14, sum(heights) + 0.9), dpi=100, facecolor="white", layout="constrained")
    grid = figure.add_gridspec(len(arms), 2, height_ratios=heights)
    labels = {arm.name: arm.label for arm in plan.arms}
    columns: tuple[list[Axes], list[Axes]] = ([], [])
    for row, (name, found) in enumerate(arms.items()):
        for column, (key, colours, bounds) in enumerate(_KINDS):
            axes = figure.add_subplot(grid[row, column])
            columns[column].append(axes)
            axes.set_title(labels[name], loc="left", fontsize=11)
            rows = found.share if key == "share" else found.cosine
            if rows:
                _draw_heat_map(axes, rows, found.images, colours, bounds)
            else:
                axes.axis("off")
                axes.text(0.5, 0.5, "a single term", ha="center", va="center", fontsize=10, transform=axes.transAxes)
    for axes_of_column, (key, colours, bounds) in zip(columns, _KINDS, strict=True):
        scale = ScalarMappable(Normalize(*bounds), colours)
        figure.colorbar(scale, ax=axes_of_column, location="top", aspect=45, shrink=0.8, label=_MEANINGS[key])
    return figure


def _draw_heat_map(
    axes: Axes, rows: Mapping[str, Sequence[float]], images: Sequence[int], colours: str, bounds: tuple[float, float]
) -> None:
    values: NDArray[np.float64] = np.array(list(rows.values()))
    axes.imshow(values, cmap=colours, vmin=bounds[0], vmax=bounds[1], aspect="auto", interpolation="nearest")
    axes.set_yticks(range(len(rows)), [_short(name) for name in rows], fontsize=9)
    ticks = np.unique(np.linspace(0, len(images) - 1, min(6, len(images))).round().astype(int))
    axes.set_xticks(ticks, [f"{images[i]:,}" for i in ticks], fontsize=9)
    axes.set_xlabel("training images", fontsize=9)
    if values.shape[1] <= 8:
        low, high = bounds
        for y, x in np.ndindex(*values.shape):
            # The dark colours are the low ones of viridis, and both ends of RdBu.
            dark = values[y, x] < 0.6 if low == 0 else abs(values[y, x]) > 0.6 * high
            axes.text(x, y, f"{values[y, x]:.2f}", ha="center", va="center", fontsize=7, color="white" if dark else "black")


def _short(name: str) -> str:
    return " ~ ".join(TERMS[part].short for part in name.split("~"))


def write_gradient_figure(study: Path, plan: Plan) -> None:
    """Draw gradient_diagnostics.png into the study folder, if the diagnostics were measured."""
    figure = gradient_figure(study, plan)
    if figure is not None:
        figure.savefig(study / "gradient_diagnostics.png")
