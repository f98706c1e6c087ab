"""The anatomy of the loss over training: which term rules, and which terms fight, an arm a row of two heat maps."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from facegan.study.dissection import anatomy_of_arms
from facegan.study.plan import Plan

_SHORT = {
    "adversarial": "adv",
    "pixel": "pix",
    "self_consistency": "self",
    "triple_consistency": "triple",
    "perceptual": "percept",
    "identity": "ident",
    "style": "style",
}
_ROW, _HEAD = 0.24, 0.55
"""Inches of a row of a heat map, and of what stands around one."""


def anatomy_figure(study: Path, plan: Plan) -> Figure | None:
    """Left: each term's share of the pull at the generated image; right: cosines of two terms' pulls. None: not measured."""
    arms = anatomy_of_arms(study, plan)
    if not arms:
        return None
    heights = [_HEAD + _ROW * max(len(a["share"]), len(a["cosine"])) for a in arms.values()]
    figure = Figure(figsize=(14, sum(heights) + 0.9), dpi=100, facecolor="white", layout="constrained")
    grid = figure.add_gridspec(len(arms), 2, height_ratios=heights)
    labels = {arm.name: arm.label for arm in plan.arms}
    for row, (name, found) in enumerate(arms.items()):
        left, right = (figure.add_subplot(grid[row, column]) for column in (0, 1))
        shares = _heat(left, found["share"], found["images"], "viridis", (0, 1))
        left.set_title(f"{labels[name]}: share of the pull", loc="left", fontsize=11)
        cosines = _heat(right, found["cosine"], found["images"], "RdBu", (-1, 1)) if found["cosine"] else None
        right.set_title(f"{labels[name]}: cosine of two terms' pulls", loc="left", fontsize=11)
        if cosines is None:
            right.axis("off")
        for axes, image, words in ((left, shares, "share, 0 to 1"), (right, cosines, "-1: they fight   1: they agree")):
            if image is not None:
                figure.colorbar(image, ax=axes, pad=0.01, label=words)
    return figure


def _heat(axes: Axes, rows: dict[str, list[float]], images: list[int], colours: str, bounds: tuple[float, float]) -> AxesImage:
    values: NDArray[np.float64] = np.array(list(rows.values()))
    shown = axes.imshow(values, cmap=colours, vmin=bounds[0], vmax=bounds[1], aspect="auto", interpolation="nearest")
    axes.set_yticks(range(len(rows)), [_short(name) for name in rows], fontsize=9)
    ticks = np.unique(np.linspace(0, len(images) - 1, min(6, len(images))).round().astype(int))
    axes.set_xticks(ticks, [f"{images[i]:,}" for i in ticks], fontsize=9)
    axes.set_xlabel("images seen", fontsize=9)
    if values.shape[1] <= 8:
        low, high = bounds
        for y, x in np.ndindex(*values.shape):
            # On viridis the dark end is low, on RdBu both ends are dark.
            dark = values[y, x] < 0.6 if low == 0 else abs(values[y, x]) > 0.6 * high
            axes.text(x, y, f"{values[y, x]:.2f}", ha="center", va="center", fontsize=7, color="white" if dark else "black")
    return shown


def _short(name: str) -> str:
    return " ~ ".join(_SHORT.get(part, part) for part in name.split("~"))


def write_anatomy_figure(study: Path, plan: Plan) -> None:
    """Draw `anatomy.png` of a study folder, where anything was measured."""
    figure = anatomy_figure(study, plan)
    if figure is not None:
        figure.savefig(study / "anatomy.png")
