"""The square crop about a face: centred on the nose, padded where the frame ends, never shrunk; steadied over time if asked."""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.landmarks.points import NOSE_TIP

T = TypeVar("T")

_REACH = 4
"""Widths of the Gaussian that smoothing looks ahead and back."""


@dataclass(frozen=True, slots=True)
class Square:
    """Centre and side in source pixels, not yet rounded to whole ones."""

    x: float
    y: float
    side: float


@dataclass(frozen=True, slots=True)
class Crop:
    """A crop: image [size, size, 3] uint8, points [68, 2] in its pixels, box (left, top, side) in source pixels."""

    image: NDArray[np.uint8]
    points: NDArray[np.float32]
    box: tuple[int, int, int]


def face_square(points: NDArray[np.float32], scale: float) -> Square:
    """About the nose tip of points [68, 2], `scale` times the landmarks' larger side."""
    wide, high = (points.max(axis=0) - points.min(axis=0)).tolist()
    extent = max(wide, high)
    return Square(float(points[NOSE_TIP][0]), float(points[NOSE_TIP][1]), extent * scale)


def crop_face(image: NDArray[np.uint8], points: NDArray[np.float32], square: Square, size: int) -> Crop:
    """Cut a square, rounded to whole pixels, and resize it, by area where it shrinks.

    Whole numbers are pixel centres, so the source's x goes to (x - left + 1/2) * size / side - 1/2: the mapping that
    cv2.resize applies. Outside the frame its edge is repeated.
    """
    side = max(2, round(square.side))
    left, top = (round(centre + 0.5 - side / 2) for centre in (square.x, square.y))
    window = _padded_window(image, left, top, side)
    how = cv2.INTER_AREA if side >= size else cv2.INTER_LINEAR
    resized = np.asarray(cv2.resize(window, (size, size), interpolation=how), np.uint8)
    moved = (points - np.array((left, top), np.float64) + 0.5) * (size / side) - 0.5
    return Crop(resized, moved.astype(np.float32), (left, top, side))


def steady(frames: Iterable[tuple[int, Square | None, T]], width: float) -> Iterator[tuple[Square | None, T]]:
    """Each frame's square (None: it has none) as the Gaussian mean of those around it, `width` frames wide; 0 changes nothing.

    Takes (frame number, square, anything) in order and holds back no more than the frames that the mean looks ahead.
    """
    reach = math.ceil(_REACH * width)
    near: deque[tuple[int, Square | None, T]] = deque()
    place = 0
    for frame in frames:
        near.append(frame)
        while place < len(near) and near[place][0] + reach <= frame[0]:
            yield _mean(near, place, width), near[place][2]
            place += 1
        while near and near[0][0] + reach < near[min(place, len(near) - 1)][0]:
            near.popleft()
            place -= 1
    for rest in range(place, len(near)):
        yield _mean(near, rest, width), near[rest][2]


def _mean(near: deque[tuple[int, Square | None, T]], place: int, width: float) -> Square | None:
    number, own, _ = near[place]
    if own is None or not width:
        return own
    reach = math.ceil(_REACH * width)
    seen = [(n, s) for n, s, _ in near if s is not None and abs(n - number) <= reach]
    weights = np.exp(-0.5 * ((np.array([n for n, _ in seen]) - number) / width) ** 2)
    x, y, side = weights @ np.array([(s.x, s.y, s.side) for _, s in seen]) / weights.sum()
    return Square(float(x), float(y), float(side))


def _padded_window(image: NDArray[np.uint8], left: int, top: int, side: int) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    inside = image[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)]
    above, below = max(0, -top), max(0, top + side - height)
    before, after = max(0, -left), max(0, left + side - width)
    if not any((above, below, before, after)):
        return inside
    return np.asarray(cv2.copyMakeBorder(inside, above, below, before, after, cv2.BORDER_REPLICATE), np.uint8)
