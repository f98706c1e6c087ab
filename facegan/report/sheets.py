"""Sheets of images drawn with OpenCV alone: samples during training, a contact sheet, landmarks as lines."""

import math
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.data.reading.face_data import FaceData
from facegan.landmarks.points import PARTS

Image = NDArray[np.uint8]
"""[height, width, 3] RGB."""

_TILE = 96
_SHEET_TILE = 128
"""On smaller pictures lines over a face hide it."""
_GAP = 3
_TITLE = 26
_LABEL = 118
_PAPER = (255, 255, 255)
_INK = (30, 30, 30)
_LINE = (245, 240, 200)
_OVERLAY = (0, 255, 120)
_SHIFT = 4
"""Fractional bits of the coordinates that OpenCV draws at."""


def draw_landmarks(canvas: Image, points: NDArray[np.float32], colour: tuple[int, int, int] = _LINE) -> None:
    """Draw a face's points [68, 2], in pixels of the canvas, as one line for each facial part."""
    for lines, closed in PARTS.values():
        for line in lines:
            corners = np.round(points[line] * 2**_SHIFT).astype(np.int32)
            cv2.polylines(canvas, [corners], closed, colour, 1, cv2.LINE_AA, _SHIFT)


def landmark_tile(points: NDArray[np.float32], size: int, scale: int = 1) -> Image:
    """The points [68, 2] of a face in an image of `size` pixels as light lines on black, `scale` times as large."""
    tile = np.zeros((size * scale, size * scale, 3), np.uint8)
    draw_landmarks(tile, enlarged_points(points, scale))
    return tile


def enlarged_points(points: NDArray[np.float32], scale: int) -> NDArray[np.float32]:
    """The points after their image is enlarged `scale` times; whole numbers are centres of pixels before and after."""
    return np.asarray((points + 0.5) * scale - 0.5, np.float32)


def sample_grid(
    sources: NDArray[np.uint8], points: NDArray[np.float32], targets: NDArray[np.uint8], generated: NDArray[np.uint8]
) -> Image:
    """Rows of held-out faces: source, target landmarks, target, and the generator's image."""
    size = sources.shape[1]
    scale = _enlargement(size)
    drawn = [landmark_tile(face, size, scale) for face in points]
    columns: dict[str, Iterable[Image]] = {
        "source": sources,
        "landmarks": drawn,
        "target": targets,
        "generated": generated,
    }
    sheet = _blank(len(sources), len(columns), size * scale, left=_GAP, top=_TITLE)
    for c, (title, tiles) in enumerate(columns.items()):
        _write(sheet, title, _GAP + c * (size * scale + _GAP) + 2, _TITLE - 9)
        for r, tile in enumerate(tiles):
            _place(sheet, _enlarged(tile, scale if len(tile) == size else 1), r, c, left=_GAP, top=_TITLE)
    return sheet


def contact_sheet(data: FaceData, people: int = 12, frames: int = 8, first: Sequence[str] = ()) -> Image:
    """Clips in rows and their frames in columns, both evenly spaced, with the landmarks as lines on every frame.

    The clips named by `first` that have frames come first, in this order, in up to half of the rows.
    """
    clips = [(part, name, rows) for part in ("train", "test") for name, rows in data.clips(part, 0.0).items()]
    named = {clip[1]: clip for clip in clips}
    chosen = [named.pop(name) for name in first if name in named][: (people + 1) // 2]
    others = [clip for clip in clips if all(clip is not one for one in chosen)]
    chosen += [others[i] for i in _evenly_spaced(len(others), people - len(chosen))]
    scale, top = _enlargement(data.size, _SHEET_TILE), 2 * _TITLE
    sheet = _blank(len(chosen), frames, data.size * scale, left=_LABEL, top=top)
    kind = "SYNTHETIC faces, rendered by a program" if data.synthetic else "Frames of real people: do not redistribute"
    _write(sheet, f"{kind}. {len(clips)} clips, {len(data.points)} frames of {data.size} px.", _GAP + 2, 18)
    _write(sheet, "Each row is a clip with evenly spaced frames; the lines are their landmarks.", _GAP + 2, 40)
    for r, (part, name, rows) in enumerate(chosen):
        middle = top + r * (data.size * scale + _GAP) + data.size * scale // 2
        _write(sheet, name[:12], _GAP + 2, middle - 4)
        _write(sheet, part, _GAP + 2, middle + 16)
        for c, i in enumerate(_evenly_spaced(len(rows), frames)):
            _place(sheet, _frame(data, int(rows[i]), scale), r, c, left=_LABEL, top=top)
    return sheet


def _frame(data: FaceData, row: int, scale: int) -> Image:
    tile = _enlarged(data.image(row), scale)
    draw_landmarks(tile, enlarged_points(data.points[row], scale), _OVERLAY)
    return tile


def _evenly_spaced(count: int, wanted: int) -> list[int]:
    """At most `wanted` evenly spaced indices below `count`."""
    return [int(i) for i in np.linspace(0, count - 1, min(wanted, count)).round()]


def _enlargement(size: int, least: int = _TILE) -> int:
    return max(1, math.ceil(least / size))


def _enlarged(tile: Image, scale: int) -> Image:
    return np.repeat(np.repeat(tile, scale, axis=0), scale, axis=1)


def _blank(rows: int, columns: int, side: int, *, left: int, top: int) -> Image:
    height, width = top + rows * (side + _GAP), left + columns * (side + _GAP)
    return np.full((height, width, 3), _PAPER, np.uint8)


def _place(sheet: Image, tile: Image, row: int, column: int, *, left: int, top: int) -> None:
    side = len(tile)
    y, x = top + row * (side + _GAP), left + column * (side + _GAP)
    sheet[y : y + side, x : x + side] = tile


def _write(sheet: Image, text: str, x: int, y: int) -> None:
    cv2.putText(sheet, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
