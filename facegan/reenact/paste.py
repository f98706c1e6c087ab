"""Put a drawn crop back into the picture that its source was cut out of, with a soft edge."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.inference import Images

Image = NDArray[np.uint8]
"""[height, width, 3] RGB."""

_EDGE = 0.12
"""Width of the soft edge as a share of the crop's side: from nothing of the drawing at the crop's border to all of it."""


class Paste:
    """A picture [height, width, 3] and the square of it that crops go back into.

    `left`, `top` and `side` are the square in pixels of the picture, not rounded, and may reach beyond it. Crops have `size`
    pixels.
    """

    def __init__(self, picture: Image, left: float, top: float, side: float, size: int) -> None:
        self._picture, scale = picture, side / size
        height, width = picture.shape[:2]
        x = slice(max(0, math.floor(left)), min(width, math.ceil(left + side)))
        y = slice(max(0, math.floor(top)), min(height, math.ceil(top + side)))
        self._inside = (y, x)
        # The position of a pixel of the picture in the crop; whole numbers are pixel centres in both.
        across, down = ((np.arange(s.start, s.stop) + 0.5 - first) / scale - 0.5 for s, first in ((x, left), (y, top)))
        self._weight = np.outer(_weights(down, size), _weights(across, size)).astype(np.float32)[..., None]
        shift = [(first - s.start) + 0.5 * scale - 0.5 for s, first in ((x, left), (y, top))]
        self._placed = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])

    def pasted(self, crops: Images) -> list[Image]:
        """The picture with each of some crops [n, size, size, 3] in it. Outside of the square no pixel changes."""
        return [self._one(crop) for crop in crops]

    def _one(self, crop: Image) -> Image:
        height, width = self._weight.shape[:2]
        how = cv2.INTER_CUBIC if self._placed[0, 0] > 1 else cv2.INTER_LINEAR
        drawn = cv2.warpAffine(crop, self._placed, (width, height), flags=how, borderMode=cv2.BORDER_REPLICATE)
        whole = self._picture.copy()
        before = whole[self._inside].astype(np.float32)
        whole[self._inside] = np.rint(before + self._weight * (drawn.astype(np.float32) - before)).astype(np.uint8)
        return whole


def _weights(positions: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """[n]: the share of the drawing at positions [n] along one side of the crop, 0 at its border and beyond."""
    inwards = np.minimum(positions + 0.5, size - 0.5 - positions) / (_EDGE * size)
    share = np.clip(inwards, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float64)
