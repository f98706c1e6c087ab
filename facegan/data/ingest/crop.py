"""The square crop around a face: centred on the nose, padded beyond the image, and optionally smoothed over time."""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.landmarks.points import NOSE_TIP

Payload = TypeVar("Payload")

TOO_LARGE = "the face is too large for the image to be cropped"
FLAT = "the face is one flat colour"
_MOST_OF_THE_IMAGE = 4
"""A crop is at most this many times as wide as the image's larger side: beyond that it is padding, which takes gigabytes."""
_FLAT = 4
"""Difference of grey levels. A decoder fills frames that it cannot decode with one grey."""
_REACH = 4
"""How far smoothing looks ahead and back, in widths of the Gaussian."""


@dataclass(frozen=True, slots=True)
class Square:
    """Centre and side in source pixels, not rounded."""

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
    """The square centred on the nose tip of points [68, 2], whose side is `scale` times the larger side of all landmarks."""
    wide, high = (points.max(axis=0) - points.min(axis=0)).tolist()
    extent = max(wide, high)
    return Square(float(points[NOSE_TIP][0]), float(points[NOSE_TIP][1]), extent * scale)


def fits(square: Square, image: NDArray[np.uint8]) -> bool:
    """Whether a square is small enough to be cut out of an image [height, width, 3]."""
    return bool(square.side <= _MOST_OF_THE_IMAGE * max(image.shape[:2]))


def crop_face(image: NDArray[np.uint8], points: NDArray[np.float32], square: Square, size: int) -> Crop:
    """Cut a square out of an image [height, width, 3], resize it to `size` pixels, and move the points [68, 2] with it.

    The square is rounded to whole pixels; outside of the image its edge is repeated. Whole coordinates are pixel centres, so x
    becomes (x - left + 1/2) * size / side - 1/2, as in cv2.resize.
    """
    side = max(2, round(square.side))
    left, top = (round(centre + 0.5 - side / 2) for centre in (square.x, square.y))
    window = _padded_window(image, left, top, side)
    how = cv2.INTER_AREA if side >= size else cv2.INTER_LINEAR
    resized = np.asarray(cv2.resize(window, (size, size), interpolation=how), np.uint8)
    moved = (points - np.array((left, top), np.float64) + 0.5) * (size / side) - 0.5
    return Crop(resized, moved.astype(np.float32), (left, top, side))


def is_flat(image: NDArray[np.uint8]) -> bool:
    """Whether an image [height, width, 3] shows nothing but one colour."""
    # One pixel of 64 is enough, and takes a fifth of the time.
    pixels = image[::8, ::8].reshape(-1, image.shape[2])
    return int((pixels.max(axis=0) - pixels.min(axis=0)).max()) < _FLAT


def smooth_squares(
    frames: Iterable[tuple[int, Square | None, Payload]], width: float
) -> Iterator[tuple[Square | None, Payload]]:
    """The square of each frame, averaged over the frames around it with a Gaussian `width` frames wide; 0 changes nothing.

    Takes (frame number, square or None, any object) in order of the numbers, and gives the squares with the objects. A frame
    without a square stays without one and is left out of the averages. Holds back only as many frames as it looks ahead.
    """
    reach = math.ceil(_REACH * width)
    window: deque[tuple[int, Square | None, Payload]] = deque()
    position = 0
    for frame in frames:
        window.append(frame)
        while position < len(window) and window[position][0] + reach <= frame[0]:
            yield _weighted_mean(window, position, width), window[position][2]
            position += 1
        while window and window[0][0] + reach < window[min(position, len(window) - 1)][0]:
            window.popleft()
            position -= 1
    for rest in range(position, len(window)):
        yield _weighted_mean(window, rest, width), window[rest][2]


def _weighted_mean(window: deque[tuple[int, Square | None, Payload]], position: int, width: float) -> Square | None:
    number, own, _ = window[position]
    if own is None or not width:
        return own
    reach = math.ceil(_REACH * width)
    near = [(n, square) for n, square, _ in window if square is not None and abs(n - number) <= reach]
    weights = np.exp(-0.5 * ((np.array([n for n, _ in near]) - number) / width) ** 2)
    x, y, side = weights @ np.array([(s.x, s.y, s.side) for _, s in near]) / weights.sum()
    return Square(float(x), float(y), float(side))


def _padded_window(image: NDArray[np.uint8], left: int, top: int, side: int) -> NDArray[np.uint8]:
    """[side, side, 3]: a square of an image, with the image's edge repeated where the square lies outside."""
    rows, above, below = _inside(top, side, image.shape[0])
    columns, before, after = _inside(left, side, image.shape[1])
    inside = image[rows, columns]
    if not any((above, below, before, after)):
        return inside
    return np.asarray(cv2.copyMakeBorder(inside, above, below, before, after, cv2.BORDER_REPLICATE), np.uint8)


def _inside(first: int, side: int, length: int) -> tuple[slice, int, int]:
    """Along one axis the pixels that a square shares with an image, and how often the first and the last are repeated.

    At least one pixel: of a square that lies wholly outside it is the nearest, since OpenCV reads beyond an empty image.
    """
    start, stop = min(max(0, first), length - 1), max(min(first + side, length), 1)
    before = min(max(0, -first), side - (stop - start))
    return slice(start, stop), before, side - (stop - start) - before
