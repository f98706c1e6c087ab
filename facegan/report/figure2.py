"""Figure 2 of the poster: held-out people in rows; inputs, target, and the image and error of each arm in columns."""

import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from facegan.data.reading.face_data import FaceData
from facegan.errors import UserError
from facegan.inference import Images, image_generator
from facegan.metrics.pairs import Pairs, images_of
from facegan.report.sheets import Image, landmark_tile
from facegan.study.analysis.model_selection import shown_trials
from facegan.study.design.plan import Plan
from facegan.study.folder.trial_folder import trial_folder
from facegan.training.checkpoint import load_generator

GIVEN = ("Landmarks of\nthe input\n(not given)", "Input image", "Target\nlandmarks", "Target image")
SATURATION = 96
"""Grey levels from which on errors have the last colour."""
NO_RESULT = 190
"""Grey level of the tiles of an arm without a checkpoint."""

_DRAWS_PER_CLIP = 30
_TILE = 120
_GAP = 4
_GROUP_GAP = 14
_LEFT, _RIGHT, _TOP = 60, 90, 70
_DPI = 100
_LETTER, _LINE = 8.4, 21
"""Pixels of a letter and of a line of the caption, rounded up."""


def choose_rows(data: FaceData, rows: int) -> Pairs:
    """One pair of frames for each of `rows` test clips, which are evenly spaced in their order.

    Of 30 random pairs of a clip it is the one whose landmarks differ most.
    """
    clips = [(name, members) for name, members in data.clips("test", 0.0).items() if len(members) >= 2]
    if not clips:
        raise UserError("--data has no test clip with two frames or more, so there is no held-out person to draw")
    chosen = np.linspace(0, len(clips) - 1, min(rows, len(clips))).round().astype(int)
    pairs = [_pair_with_most_motion(data, clips[i][1], int(i)) for i in chosen]
    source, target = np.array(pairs).T
    return Pairs(source, target, source, [clips[i][0] for i in chosen], np.zeros(len(chosen), np.bool_))


def _pair_with_most_motion(data: FaceData, rows: NDArray[np.int64], place: int) -> NDArray[np.int64]:
    rng = np.random.default_rng([2, place])
    pairs = np.stack([rng.choice(rows, size=2, replace=False) for _ in range(_DRAWS_PER_CLIP)])
    points = data.points[pairs]
    centred = points - points.mean(axis=2, keepdims=True)
    motion = np.linalg.norm(centred[:, 0] - centred[:, 1], axis=-1).mean(axis=-1)
    return np.asarray(pairs[motion.argmax()], np.int64)


def figure2_tiles(study: Path, plan: Plan, data: FaceData, rows: int = 6) -> list[list[Image]]:
    """Rows of 4 + 2 x arms tiles: the four given ones, each arm's image, each arm's error map.

    Images and error maps have the size of the data. The two landmark drawings are enlarged, because lines cannot show a mouth
    of five pixels.
    """
    pairs = choose_rows(data, rows)
    sources, targets = images_of(data, pairs.source), images_of(data, pairs.target)
    source_lines, target_lines = (
        [landmark_tile(face, data.size, _enlargement(data.size)) for face in data.points[side]]
        for side in (pairs.source, pairs.target)
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
    shown = shown_trials(plan, study)
    images: list[Images | None] = []
    for arm in plan.arms:
        if arm.name not in shown:
            images.append(None)
            continue
        generator, config = load_generator(trial_folder(study, shown[arm.name]).checkpoint)
        images.append(image_generator(generator, config, torch.device("cpu"))(sources, points))
    return images


def _enlargement(size: int) -> int:
    return -(-_TILE // size)


def error_map(image: Image, target: Image) -> Image:
    """Absolute error averaged over colour, from 0 to 96 grey levels in viridis."""
    error = np.abs(image.astype(np.float64) - target).mean(axis=-1)
    return np.asarray(colormaps["viridis"](np.minimum(error / SATURATION, 1.0), bytes=True)[..., :3], np.uint8)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Positions in whole pixels, so that every pixel of a tile becomes a square of equal size."""

    side: int
    rows: int
    lefts: list[int]
    bottom: int

    @property
    def inner(self) -> tuple[int, int]:
        return self.lefts[-1] + self.side, self.top(self.rows) - _GAP

    @property
    def outer(self) -> tuple[int, int]:
        width, height = self.inner
        return _LEFT + width + _RIGHT, _TOP + height + self.bottom

    def top(self, row: int) -> int:
        return row * (self.side + _GAP)

    def box(self, left: int, bottom: int, width: int, height: int) -> tuple[float, float, float, float]:
        """A box in pixels from the lower left corner, as fractions of the figure."""
        w, h = self.outer
        return left / w, bottom / h, width / w, height / h


def figure2(study: Path, plan: Plan, data: FaceData, rows: int = 6) -> Figure:
    """The tiles with titles, a colour bar and a caption; `savefig` at the figure's own dpi keeps pixels sharp."""
    tiles = figure2_tiles(study, plan, data, rows)
    caption = _caption(study, plan, data, len(tiles))
    layout = _layout(data.size, len(tiles), len(plan.arms), caption)
    width, height = layout.outer
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor="white")
    axes = figure.add_axes(layout.box(_LEFT, layout.bottom, *layout.inner))
    axes.set(xlim=(0, layout.inner[0]), ylim=(layout.inner[1], 0))
    axes.axis("off")
    figure.figimage(_mosaic(tiles, layout), _LEFT, layout.bottom)  # pixel by pixel: nothing is resampled
    for title, left in zip(_titles(plan), layout.lefts, strict=True):
        axes.text(left + layout.side / 2, -8, title, ha="center", va="bottom", fontsize=11)
    for row, name in enumerate(choose_rows(data, rows).clip):
        axes.text(-8, layout.top(row) + layout.side / 2, name, ha="right", va="center", fontsize=10)
    _mark_missing_arms(axes, layout, [arm.name not in shown_trials(plan, study) for arm in plan.arms])
    _colour_bar(figure, layout)
    where = layout.box(_LEFT, layout.bottom - 14, 0, 0)[:2]
    figure.text(*where, _wrapped(caption, layout.inner[0]), va="top", fontsize=11, linespacing=1.35)
    return figure


def write_figure2(study: Path, plan: Plan, data: FaceData) -> None:
    """Draw figure2.png into the study folder."""
    figure2(study, plan, data).savefig(study / "figure2.png")


def _layout(size: int, rows: int, arms: int, caption: str) -> _Layout:
    side = _enlargement(size) * size
    # Three groups of columns: inputs and target, the arms' images, their errors.
    groups = [0] * 4 + [1] * arms + [2] * arms
    lefts = [i * (side + _GAP) + group * _GROUP_GAP for i, group in enumerate(groups)]
    lines = _wrapped(caption, lefts[-1] + side).count("\n") + 1
    return _Layout(side, rows, lefts, 28 + lines * _LINE)


def _wrapped(caption: str, width: int) -> str:
    return textwrap.fill(caption, int(width / _LETTER))


def _mosaic(tiles: list[list[Image]], layout: _Layout) -> Image:
    width, height = layout.inner
    sheet = np.full((height, width, 3), 255, np.uint8)
    for r, row in enumerate(tiles):
        for tile, left in zip(row, layout.lefts, strict=True):
            scale = layout.side // len(tile)
            large = tile.repeat(scale, axis=0).repeat(scale, axis=1)
            sheet[layout.top(r) : layout.top(r) + layout.side, left : left + layout.side] = large
    return sheet


def _titles(plan: Plan) -> list[str]:
    labels = [arm.label for arm in plan.arms]
    return [*GIVEN, *labels, *(f"|error|\n{label}" for label in labels)]


def _mark_missing_arms(axes: Axes, layout: _Layout, missing: list[bool]) -> None:
    for left in [x for x, none in zip(layout.lefts[len(GIVEN) :], missing * 2, strict=True) if none]:
        for row in range(layout.rows):
            middle = layout.side / 2
            axes.text(left + middle, layout.top(row) + middle, "no result", ha="center", va="center", fontsize=10)


def _colour_bar(figure: Figure, layout: _Layout) -> None:
    width, height = layout.inner
    axes = figure.add_axes(layout.box(_LEFT + width + 14, layout.bottom, 16, height))
    scale = ScalarMappable(Normalize(0, SATURATION), "viridis")
    bar = figure.colorbar(scale, cax=axes, ticks=range(0, SATURATION + 1, 24))
    bar.set_label("absolute error, grey levels (96 and above: yellow)", fontsize=11)


def _caption(study: Path, plan: Plan, data: FaceData, rows: int) -> str:
    people = "SYNTHETIC faces, rendered by a program; " if data.synthetic else ""
    text = (
        f"Figure 2. {people}{rows} held-out test clips, one in each row: people never trained on. Each arm draws the target "
        "from the input image and the target landmarks alone; the landmarks of the input are shown for comparison and "
        "given to no network. Right: absolute error against the target image, averaged over colour. The pair of frames is "
        "that of 30 random pairs of the clip whose landmarks differ most, chosen without looking at any output. "
        f"Preset {plan.preset}, {_budget(study, plan)} for each run, "
        f"{data.size} x {data.size} pixels, VGG-19 weights: {plan.vgg}."
    )
    return " ".join([text, *_unfinished(study, plan)])


def _budget(study: Path, plan: Plan) -> str:
    planned = plan.budget.seconds is None
    images = [t.config.images if planned else trial_folder(study, t).state().images for t in plan.trials]
    return plan.budget.amount(images) if plan.budget.kind != "images" else f"{max(images)} training images"


def _unfinished(study: Path, plan: Plan) -> list[str]:
    shown, notes = shown_trials(plan, study), []
    for arm in plan.arms:
        if arm.name not in shown:
            states = {trial_folder(study, t).state().state for t in plan.trials if t.arm == arm.name}
            notes.append(f"{arm.label}: no checkpoint ({', '.join(sorted(states))}).")
        elif (state := trial_folder(study, shown[arm.name]).state()).state != "COMPLETED":
            notes.append(f"{arm.label}: {state.state} at {state.images} images.")
    return notes
