"""What does not change within a synthetic clip: the background, the texture of the hair, and the camera."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.synthetic.canvas import OVERSAMPLING, Array, Pixels

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Camera:
    """The camera of a clip: factors of the colour channels, blur in pixels, and a large image of sensor noise."""

    tint: Plane
    blur: float
    noise: Plane

    def record(self, light: Plane, rng: np.random.Generator) -> Pixels:
        """The 8-bit frame [height, width, 3] for the light [height, width, 3] that reaches the camera."""
        height, width = light.shape[:2]
        # A random window of one large noise image is as good as new noise, and ten times as fast.
        top, left = rng.integers(0, (self.noise.shape[0] - height, self.noise.shape[1] - width))
        seen = cv2.GaussianBlur(light * self.tint, (0, 0), self.blur)
        seen = seen + self.noise[top : top + height, left : left + width]
        return np.asarray(np.clip(np.rint(seen), 0, 255), np.uint8)


def random_camera(rng: np.random.Generator, height: int, width: int) -> Camera:
    """A random camera, from cold to warm and from clean to noisy."""
    warmth, level = rng.uniform(-0.035, 0.035), rng.uniform(0.94, 1.04)
    tint = np.array([level - warmth, level, level + warmth], np.float32)
    plate = rng.standard_normal((height * 3 // 2, width * 3 // 2, 3), np.float32)
    noise = np.float32(rng.uniform(1.0, 3.0))
    return Camera(tint, float(rng.uniform(0.3, 0.6)), noise * plate)


def random_background(rng: np.random.Generator, height: int, width: int) -> Pixels:
    """A random background for a `Canvas`: a gradient between two colours with a pattern, oversampled, with four channels."""
    first, second = rng.uniform(40, 215, (2, 1)) + rng.uniform(-38, 38, (2, 3))
    direction = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:height, 0:width] / height
    slope = np.clip(0.5 + (x - 0.6) * np.cos(direction) + (y - 0.5) * np.sin(direction), 0, 1)
    picture = first + (second - first) * slope[..., None] + _pattern(rng, x, y)[..., None]
    channels = np.dstack([np.clip(picture, 0, 255), np.zeros((height, width))]).astype(np.uint8)
    return np.asarray(cv2.resize(channels, (width * OVERSAMPLING, height * OVERSAMPLING)), np.uint8)


def random_strands(rng: np.random.Generator, height: int, width: int) -> Plane:
    """Random texture of hair [height, width]: the relative brightness of strands, around 0."""
    noise = rng.standard_normal((height, width)).astype(np.float32)
    stretched = cv2.GaussianBlur(noise, (0, 0), sigmaX=0.7, sigmaY=5.0)
    return np.asarray(stretched / stretched.std() * np.float32(0.11))


def _pattern(rng: np.random.Generator, x: Array, y: Array) -> Array:
    kind = rng.choice(["plain", "stripes", "blobs", "wall"])
    depth, period, angle = rng.uniform(10, 40), rng.uniform(0.08, 0.3), rng.uniform(0, np.pi)
    if kind == "stripes":
        waves = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period)
        return np.asarray(depth * np.clip(3 * waves, -0.5, 0.5))
    if kind == "blobs":
        blurred = cv2.GaussianBlur(rng.standard_normal(x.shape), (0, 0), x.shape[0] / 12)
        return np.asarray(0.6 * depth * blurred / blurred.std())
    if kind == "wall":
        return np.asarray(depth * (y > rng.uniform(0.4, 0.8)))
    return np.zeros_like(x)
