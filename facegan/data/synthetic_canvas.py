"""Soft, anti-aliased drawing at twice the resolution, in image coordinates with whole numbers at pixel centres."""

import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.data.synthetic_person import Colour

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]

OVERSAMPLING = 2
SHIFT = 4  # OpenCV's drawing takes whole numbers; these bits are its fraction


class Canvas:
    """Four channels: blue, green, red, and how strongly a pixel shows strands of hair."""

    def __init__(self, background: Pixels) -> None:
        """Start from a background that is already OVERSAMPLING times too large."""
        self.pixels = cv2.copyMakeBorder(background, 0, 0, 0, 0, cv2.BORDER_CONSTANT)

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
        """Fill a polygon, or draw a line where `width` is given; `soft` blurs its edge, `within` clips it."""
        solid = alpha >= 1 and soft == 0 and within is None
        if solid and width == 0:
            cv2.fillPoly(self.pixels, [_fixed(points)], (*colour, strands), cv2.LINE_AA, SHIFT)
        else:
            self._blend(points, (*colour, strands), alpha, width, soft, within)

    def finish(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The picture and its strand strength, averaged down to the frame's size."""
        height, width = self.pixels.shape[0] // OVERSAMPLING, self.pixels.shape[1] // OVERSAMPLING
        small = cv2.resize(self.pixels, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
        return small[..., :3], small[..., 3] / 255

    def _blend(
        self, points: Array, colour: tuple[float, ...], alpha: float, width: float, soft: float, within: Array | None
    ) -> None:
        margin = OVERSAMPLING * (width / 2 + 3 * soft) + 2
        left, top, right, bottom = self._box(points if within is None else within, margin)
        if right <= left or bottom <= top:
            return
        shift = np.array([left, top]) / OVERSAMPLING
        shape = (bottom - top, right - left)
        mask = coverage(points - shift, shape, width)
        if soft:
            mask = cv2.GaussianBlur(mask, (0, 0), soft * OVERSAMPLING)
        weight = mask.astype(np.float32) * (alpha / 255)
        if within is not None:
            weight *= coverage(within - shift, shape).astype(np.float32) / 255
        patch = self.pixels[top:bottom, left:right]
        patch[:] = np.rint(patch + (np.array(colour, np.float32) - patch) * weight[..., None])

    def _box(self, points: Array, margin: float) -> tuple[int, int, int, int]:
        height, width = self.pixels.shape[:2]
        low = np.floor(points.min(axis=0) * OVERSAMPLING - margin).astype(int)
        high = np.ceil(points.max(axis=0) * OVERSAMPLING + margin + 2).astype(int)
        return max(int(low[0]), 0), max(int(low[1]), 0), min(int(high[0]), width), min(int(high[1]), height)


def coverage(points: Array, shape: tuple[int, int], width: float = 0.0) -> Pixels:
    """How far each oversampled pixel, 0..255, lies inside a polygon, or on a line of the given width."""
    mask = np.zeros(shape, np.uint8)
    if width == 0:
        cv2.fillPoly(mask, [_fixed(points)], 255, cv2.LINE_AA, SHIFT)
    else:
        thickness = max(1, round(width * OVERSAMPLING))
        cv2.polylines(mask, [_fixed(points)], False, 255, thickness, cv2.LINE_AA, SHIFT)
    return mask


def curve(points: Array, steps: int = 6) -> Array:
    """A smooth open curve through points (Catmull-Rom), which it touches exactly."""
    padded = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None, None]
    p0, p1, p2, p3 = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    bend = 2 * p1 + t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * p1 - p0 - 3 * p2 + p3)))
    smooth = np.swapaxes(bend / 2, 0, 1).reshape(-1, points.shape[1])
    return np.concatenate([smooth, points[-1:]])


def ring(centre: Array, first: Array, second: Array, power: float = 2.0, steps: int = 24) -> Array:
    """A closed ellipse of two half axes, in the plane or in space; powers above 2 make it squarer."""
    angle = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    cosine, sine = np.cos(angle), np.sin(angle)
    around = np.abs(cosine)[:, None] ** (2 / power) * np.sign(cosine)[:, None] * first
    return np.asarray(centre + around + np.abs(sine)[:, None] ** (2 / power) * np.sign(sine)[:, None] * second)


def _fixed(points: Array) -> NDArray[np.int32]:
    oversampled = (points + 0.5) * OVERSAMPLING - 0.5
    return np.rint(oversampled * (1 << SHIFT)).astype(np.int32)
