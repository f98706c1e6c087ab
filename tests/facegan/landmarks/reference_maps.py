"""Landmark maps in NumPy and float64, pixel by pixel from their definitions."""

import itertools
import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

LINES = (
    (range(17),),
    (range(17, 22),),
    (range(22, 27),),
    (range(27, 31), range(31, 36)),
    ((*range(36, 42), 36),),
    ((*range(42, 48), 42),),
    ((*range(48, 60), 48),),
    ((*range(60, 68), 60),),
)
"""Of each channel the lines, as indices of iBUG's points: jaw, brows, nose (bridge, base), eyes, lips; the last four closed."""


def gaussian(point: Array, size: int, sigma: float) -> Array:
    """[size, size]: exp(-d^2 / (2 sigma^2)) of the distance d of each pixel to a point (x, y)."""
    y, x = np.mgrid[:size, :size]
    drawn: Array = np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / (2 * sigma**2))
    return drawn


def point_maps(points: Array, size: int, sigma: float) -> Array:
    """[batch, 68, size, size] of points [batch, 68, 2]."""
    return np.array([[gaussian(point, size, sigma) for point in face] for face in points])


def part_maps(points: Array, size: int, sigma: float) -> Array:
    """[batch, 8, size, size]: 1 - exp(-2 s); s sums dots along the lines, each times the length it stands for in sigmas."""
    dots = max(3, math.ceil(0.1 * size / sigma))
    out = np.zeros((len(points), len(LINES), size, size))
    for sample, face in enumerate(points):
        for channel, lines in enumerate(LINES):
            for a, b in ((face[i], face[j]) for line in lines for i, j in itertools.pairwise(line)):
                for dot in range(dots):
                    share = math.dist(a, b) / dots / sigma
                    out[sample, channel] += share * gaussian(a + (b - a) * dot / dots, size, sigma)
    return 1 - np.exp(-2 * out)


def line_integral(a: Array, b: Array, size: int, sigma: float) -> Array:
    """[size, size]: the integral of Gaussians along the segment from a to b, in sigmas of length, in closed form."""
    length = math.dist(a, b)
    along = (b - a) / length
    y, x = np.mgrid[:size, :size]
    from_a = (x - a[0]) * along[0] + (y - a[1]) * along[1]
    beside = (x - a[0]) * along[1] - (y - a[1]) * along[0]
    erf = np.vectorize(math.erf)
    ends = erf(from_a / (sigma * math.sqrt(2))) - erf((from_a - length) / (sigma * math.sqrt(2)))
    integral: Array = np.exp(-(beside**2) / (2 * sigma**2)) * math.sqrt(math.pi / 2) * ends
    return integral
