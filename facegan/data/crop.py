"""The square crop about a face: centred on the nose, padded where the frame ends, never shrunk."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.landmarks import NOSE_TIP


@dataclass(frozen=True, slots=True)
class Crop:
    """A crop: image [size, size, 3] uint8, points [68, 2] in its pixels, box (left, top, side) in source pixels."""

    image: NDArray[np.uint8]
    points: NDArray[np.float32]
    box: tuple[int, int, int]


def crop_face(image: NDArray[np.uint8], points: NDArray[np.float32], size: int, scale: float) -> Crop:
    """Cut a square `scale` times the landmarks' larger side and resize it, by area where it shrinks.

    Whole numbers are pixel centres, so the source's x goes to (x - left + 1/2) * size / side - 1/2: the mapping that
    cv2.resize applies. Outside the frame its edge is repeated.
    """
    extent = float((points.max(axis=0) - points.min(axis=0)).max())
    side = max(2, round(extent * scale))
    left, top = (round(float(c) + 0.5 - side / 2) for c in points[NOSE_TIP])
    window = _padded_window(image, left, top, side)
    how = cv2.INTER_AREA if side >= size else cv2.INTER_LINEAR
    resized = np.asarray(cv2.resize(window, (size, size), interpolation=how), np.uint8)
    moved = (points - [left, top] + 0.5) * (size / side) - 0.5
    return Crop(resized, moved.astype(np.float32), (left, top, side))


def _padded_window(image: NDArray[np.uint8], left: int, top: int, side: int) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    inside = image[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)]
    above, below = max(0, -top), max(0, top + side - height)
    before, after = max(0, -left), max(0, left + side - width)
    if not any((above, below, before, after)):
        return inside
    return np.asarray(cv2.copyMakeBorder(inside, above, below, before, after, cv2.BORDER_REPLICATE), np.uint8)
