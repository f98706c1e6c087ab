"""The source warped to the target landmarks: what a method without parameters achieves, and so what a network must beat.

A piecewise affine warp (Wolberg 1990, chapter 3): the plane is cut into triangles between landmarks, and each triangle of the
target is filled from the same triangle of the source. Nothing is learned, and nothing that the source hides can appear.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.inference import Images
from facegan.metrics.image_quality import checked

_ON_EACH_SIDE = 4
"""Number of fixed points on each side of the crop, corners counted once. They keep the background in place."""


def warped(sources: Images, points: NDArray[np.float32], wanted: NDArray[np.float32]) -> Images:
    """Images [n, size, size, 3] whose landmarks [n, 68, 2] were moved from `points` to `wanted`, both in pixels.

    The triangles are those of Delaunay between the wanted landmarks and fixed points on the border of the crop. Between pixels
    the source is interpolated bilinearly; where a landmark drags in what lies outside of the crop, its border is repeated.
    """
    size = checked(sources).shape[1]
    border = _border(size)
    moved = []
    for image, here, there in zip(sources, points, wanted, strict=True):
        x, y = _source_positions(np.concatenate([there, border]), np.concatenate([here, border]), size)
        moved.append(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    return np.array(moved, np.uint8).reshape(sources.shape)


def _source_positions(target: NDArray[np.float64], source: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    """[2, size, size]: for each pixel of the target, x and y of the position in the source that it is filled from."""
    from scipy.spatial import Delaunay  # takes a fifth of a second, and processes of trials warp nothing

    triangles = Delaunay(target)
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    pixels = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)
    inside = triangles.find_simplex(pixels)
    # Barycentric coordinates: SciPy keeps for each triangle the inverse of its edges, and its last corner.
    inverse = triangles.transform[inside]
    first_two = np.einsum("pij,pj->pi", inverse[:, :2], pixels - inverse[:, 2])
    weights = np.concatenate([first_two, 1 - first_two.sum(axis=1, keepdims=True)], axis=1)
    positions = np.einsum("pk,pkc->pc", weights, source[triangles.simplices[inside]])
    # OpenCV misreads arrays that are not contiguous.
    return np.ascontiguousarray(positions.T.reshape(2, size, size), np.float32)


def _border(size: int) -> NDArray[np.float64]:
    """[16, 2]: fixed points on the edge of the crop, half a pixel outside of the outermost pixel centres."""
    low, high = -0.5, size - 0.5
    along = np.linspace(low, high, _ON_EACH_SIDE + 1)[:-1]
    sides = [
        np.stack([along, np.full_like(along, low)], axis=1),
        np.stack([np.full_like(along, high), along], axis=1),
        np.stack([high + low - along, np.full_like(along, high)], axis=1),
        np.stack([np.full_like(along, low), high + low - along], axis=1),
    ]
    return np.concatenate(sides)
