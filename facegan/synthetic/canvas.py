"""Anti-aliased drawing at twice the resolution of the frame. Whole coordinates are pixel centres of the frame."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.synthetic.person import Colour

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]

OVERSAMPLING = 2
SHIFT = 4
"""Number of fractional bits in the fixed-point coordinates that OpenCV draws with."""


class Canvas:
    """An oversampled image with four channels: blue, green, red, and the strength of hair strands, 0 to 255."""

    def __init__(self, background: Pixels) -> None:
        """Start from a background of OVERSAMPLING times the size of the frame."""
        self.pixels: Pixels = background.copy()

    def paint(
        self,
        points: Array,
        colour: Colour,
        *,
        alpha: float = 1.0,
        width: float = 0.0,
        soft: float = 0.0,
        strands: float = 0.0,
        within: Array | None = None,
    ) -> None:
        """Fill a polygon [n, 2] or several [m, n, 2], or draw a line if `width` in pixels is above 0.

        `alpha` is the opacity, `soft` the blur of the edge in pixels, and `strands` the strength of hair strands, 0 to 255.
        Nothing is painted outside of the polygon `within`.
        """
        if alpha >= 1 and soft == 0 and within is None:
            _draw(self.pixels, points, (*colour, strands), width)
        else:
            self._blend(points, (*colour, strands), alpha, width, soft, within)

    def finish(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The picture [height, width, 3], 0 to 255, and its strand strength [height, width], 0 to 1, in frame pixels."""
        height, width = self.pixels.shape[0] // OVERSAMPLING, self.pixels.shape[1] // OVERSAMPLING
        area = cv2.resize(self.pixels, (width, height), interpolation=cv2.INTER_AREA)
        small = np.asarray(area, np.float32)
        return small[..., :3], small[..., 3] / np.float32(255)

    def _blend(
        self,
        points: Array,
        colour: tuple[float, ...],
        alpha: float,
        width: float,
        soft: float,
        within: Array | None,
    ) -> None:
        left, top, right, bottom = self._box(points, OVERSAMPLING * (width / 2 + 3 * soft))
        if right <= left or bottom <= top:
            return
        shift = np.array([left, top]) / OVERSAMPLING
        mask = coverage(points - shift, (bottom - top, right - left), width)
        if soft:
            mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), soft * OVERSAMPLING), np.uint8)
        if within is not None:
            clip = coverage(within - shift, (bottom - top, right - left))
            mask = np.asarray(cv2.multiply(mask, clip, scale=1 / 255), np.uint8)
        share = mask.astype(np.float32) * np.float32(min(alpha, 1.0) / 255)
        patch = self.pixels[top:bottom, left:right]
        flat = np.empty_like(patch)
        flat[:] = np.rint(colour)
        patch[:] = cv2.blendLinear(patch, flat, 1 - share, share)

    def _box(self, points: Array, margin: float) -> tuple[int, int, int, int]:
        height, width = self.pixels.shape[:2]
        oversampled = (points * OVERSAMPLING).astype(np.float32).reshape(-1, 2)
        left, top, wide, high = cv2.boundingRect(oversampled)
        edge = int(margin) + 3
        return max(left - edge, 0), max(top - edge, 0), min(left + wide + edge, width), min(top + high + edge, height)


def coverage(points: Array, shape: tuple[int, int], width: float = 0.0) -> Pixels:
    """Coverage of each oversampled pixel, 0 to 255, by a polygon, or by a line if `width` is above 0."""
    mask = np.zeros(shape, np.uint8)
    _draw(mask, points, (255.0,), width)
    return mask


def curve(points: Array, steps: int = 6) -> Array:
    """A smooth open curve through points [n, d] (Catmull-Rom spline), with `steps` points per segment."""
    ends = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    windows = np.stack([ends[:-3], ends[1:-2], ends[2:-1], ends[3:]], axis=1)
    return np.concatenate([(_blending(steps) @ windows).reshape(-1, points.shape[1]), points[-1:]])


def ring(centre: Array, first: Array, second: Array, power: float = 2.0, steps: int = 24) -> Array:
    """[steps, d]: a closed ellipse with two half axes in 2 or 3 dimensions; a power above 2 makes it a superellipse."""
    angle = np.arange(steps) * (2 * np.pi / steps)
    cosine, sine = np.cos(angle), np.sin(angle)
    around = np.abs(cosine)[:, None] ** (2 / power) * np.sign(cosine)[:, None] * first
    return np.asarray(centre + around + np.abs(sine)[:, None] ** (2 / power) * np.sign(sine)[:, None] * second)


@cache
def _blending(steps: int) -> Array:
    """[steps, 4]: the weights of four neighbouring points at each step between the middle two."""
    t = (np.arange(steps) / steps)[:, None]
    powers = np.concatenate([np.ones_like(t), t, t**2, t**3], axis=1)
    catmull_rom = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    return np.asarray(powers @ catmull_rom)


def _draw(pixels: Pixels, points: Array, colour: tuple[float, ...], width: float) -> None:
    if width == 0:
        shapes = _fixed(points if points.ndim == 3 else points[None])
        cv2.fillPoly(pixels, list(shapes), colour, cv2.LINE_AA, SHIFT)
    else:
        thickness = max(1, round(width * OVERSAMPLING))
        cv2.polylines(pixels, [_fixed(points)], False, colour, thickness, cv2.LINE_AA, SHIFT)


def _fixed(points: Array) -> NDArray[np.int32]:
    oversampled = (points + 0.5) * OVERSAMPLING - 0.5
    return np.rint(oversampled * (1 << SHIFT)).astype(np.int32)
