"""Figure 2 of the poster: held-out people in rows; inputs, target, every arm's image and its absolute error in columns."""

import textwrap
from pathlib import Path

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from facegan.checkpoint import load_generator
from facegan.config import UserError
from facegan.data.triplets import FaceData
from facegan.metrics.pairs import Images, Pairs, drawer, images_of
from facegan.report.sheets import Image, landmark_tile
from facegan.study.plan import Plan, trial_folder
from facegan.study.summary import best_trials

GIVEN = ("Landmarks of\nthe input\n(not given)", "Input image", "Target\nlandmarks", "Target image")
SATURATION = 96
"""Errors of this many grey levels and more have the last colour."""
NO_RESULT = 190
"""Grey level of the tiles of an arm without a checkpoint."""

_DRAWS_PER_CLIP = 30
_TILE = 120
_GAP = 4
_GROUP_GAP = 14
_MARGIN = {"left": 60, "right": 90, "top": 78, "bottom": 112}


def choose_rows(data: FaceData, rows: int) -> Pairs:
    """A pair each of test clips evenly chosen: of 30 random ones that whose faces differ most in pose and expression."""
    clips = [(name, members) for name, members in data.clips("test", 0.0).items() if len(members) >= 2]
    if not clips:
        raise UserError("--data has no test clip with two frames or more, so there is no held-out person to draw")
    chosen = np.linspace(0, len(clips) - 1, min(rows, len(clips))).round().astype(int)
    pairs = [_plainest_pair(data, clips[i][1], int(i)) for i in chosen]
    source, target = np.array(pairs).T
    return Pairs(source, target, [clips[i][0] for i in chosen])


def _plainest_pair(data: FaceData, rows: NDArray[np.int64], place: int) -> NDArray[np.int64]:
    rng = np.random.default_rng([2, place])
    pairs = np.stack([rng.choice(rows, size=2, replace=False) for _ in range(_DRAWS_PER_CLIP)])
    centred = data.points - data.points.mean(axis=1, keepdims=True)
    motion = np.linalg.norm(centred[pairs[:, 0]] - centred[pairs[:, 1]], axis=-1).mean(axis=-1)
    return np.asarray(pairs[motion.argmax()], np.int64)


def figure2_tiles(study: Path, plan: Plan, data: FaceData, rows: int = 6) -> list[list[Image]]:
    """Rows of 4 + 2 x arms tiles of the data's own size: the four given ones, each arm's image, each arm's error map."""
    pairs = choose_rows(data, rows)
    sources, targets = images_of(data, pairs.source), images_of(data, pairs.target)
    source_lines, target_lines = (
        [landmark_tile(face, data.size) for face in data.points[side]] for side in (pairs.source, pairs.target)
    )
    generated = _generated(study, plan, sources, data.points[pairs.target])
    empty = np.full((data.size, data.size, 3), NO_RESULT, np.uint8)
    tiles = []
    for i in range(len(pairs)):
        given = [source_lines[i], sources[i], target_lines[i], targets[i]]
        made = [empty if images is None else images[i] for images in generated]
        errors = [empty if images is None else error_map(images[i], targets[i]) for images in generated]
        tiles.append([*given, *made, *errors])
    return tiles


def _generated(study: Path, plan: Plan, sources: Images, points: NDArray[np.float32]) -> list[Images | None]:
    shown = best_trials(plan, study)
    images: list[Images | None] = []
    for arm in plan.arms:
        if arm.name not in shown:
            images.append(None)
            continue
        generator, config = load_generator(trial_folder(study, shown[arm.name]).checkpoint)
        images.append(drawer(generator, config, torch.device("cpu"))(sources, points))
    return images


def error_map(image: Image, target: Image) -> Image:
    """Absolute error averaged over colour, in viridis from 0 to 96 grey levels."""
    error = np.abs(image.astype(np.float64) - target).mean(axis=-1)
    return np.asarray(colormaps["viridis"](np.minimum(error / SATURATION, 1.0), bytes=True)[..., :3], np.uint8)


def figure2(study: Path, plan: Plan, data: FaceData, rows: int = 6) -> Figure:
    """The tiles laid out with titles, one colour bar and a caption; `savefig` at its own dpi keeps pixels crisp."""
    tiles = figure2_tiles(study, plan, data, rows)
    names = choose_rows(data, rows).clip
    side = -(-_TILE // data.size) * data.size
    lefts = _lefts(len(plan.arms), side)
    inner_width, inner_height = lefts[-1] + side, len(tiles) * (side + _GAP) - _GAP
    width = _MARGIN["left"] + inner_width + _MARGIN["right"]
    height = _MARGIN["top"] + inner_height + _MARGIN["bottom"]
    figure = Figure(figsize=(width / 100, height / 100), dpi=100, facecolor="white")
    axes = figure.add_axes(
        (_MARGIN["left"] / width, _MARGIN["bottom"] / height, inner_width / width, inner_height / height)
    )
    axes.imshow(_mosaic(tiles, lefts, side), interpolation="nearest", aspect="auto", extent=(0, inner_width, inner_height, 0))
    axes.axis("off")
    for title, left in zip(_titles(plan), lefts, strict=True):
        axes.text(left + side / 2, -8, title, ha="center", va="bottom", fontsize=11)
    for r, name in enumerate(names):
        axes.text(-8, r * (side + _GAP) + side / 2, name, ha="right", va="center", fontsize=10)
    missing = [a.name not in best_trials(plan, study) for a in plan.arms]
    for left in (x for x, none in zip(lefts[4:], missing * 2, strict=True) if none):
        for r in range(len(tiles)):
            axes.text(left + side / 2, r * (side + _GAP) + side / 2, "no result", ha="center", va="center", fontsize=10)
    bar = figure.add_axes(
        ((width - _MARGIN["right"] + 14) / width, _MARGIN["bottom"] / height, 16 / width, inner_height / height)
    )
    _colour_bar(figure, bar)
    caption = textwrap.fill(_caption(study, plan, data), int(width / 7.6))
    figure.text(_MARGIN["left"] / width, (_MARGIN["bottom"] - 12) / height, caption, va="top", fontsize=11, linespacing=1.35)
    return figure
