"""The crop and its smoothing against their definitions in NumPy, float64."""

import numpy as np
import pytest
from numpy.typing import NDArray

from facegan.data.ingest.crop import Square, crop_face, face_square, smooth_squares


def area_weights(side: int, size: int) -> NDArray[np.float64]:
    """[size, side]: the share of each source pixel in each pixel of an image that is reduced by area."""
    edges = np.arange(size + 1) * side / size
    pixel = np.arange(side)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    weights: NDArray[np.float64] = np.clip(overlap, 0, None) * size / side
    return weights


def linear_weights(side: int, size: int) -> NDArray[np.float64]:
    """[size, side]: bilinear interpolation between pixel centres; beyond the outer ones the image goes on constant."""
    at = np.clip((np.arange(size) + 0.5) * side / size - 0.5, 0, side - 1)
    weights: NDArray[np.float64] = np.clip(1 - np.abs(at[:, None] - np.arange(side)), 0, None)
    return weights


def reference_crop(image: NDArray[np.uint8], left: int, top: int, side: int, size: int) -> NDArray[np.float64]:
    beyond = 200
    padded = np.pad(image.astype(np.float64), ((beyond, beyond), (beyond, beyond), (0, 0)), "edge")
    window = padded[beyond + top : beyond + top + side, beyond + left : beyond + left + side]
    weights = area_weights(side, size) if side >= size else linear_weights(side, size)
    resized: NDArray[np.float64] = np.einsum("iy,jx,yxc->ijc", weights, weights, window)
    return resized


@pytest.mark.parametrize(
    ("square", "corner", "side"),
    [
        (Square(49.5, 39.5, 64.0), (18, 8), 64),  # inside, twice the size
        (Square(50.0, 40.2, 51.3), (25, 15), 51),  # inside, no whole ratio
        (Square(12.0, 30.0, 60.0), (-18, 0), 60),  # beyond the left edge
        (Square(80.0, 5.0, 70.4), (46, -30), 70),  # beyond the top right corner
        (Square(90.5, 75.5, 44.0), (69, 54), 44),  # beyond the bottom right corner
        (Square(50.0, 40.0, 21.0), (40, 30), 21),  # smaller than the crop
        (Square(-40.5, 30.0, 64.0), (-72, -2), 64),  # wholly to the left of the image
        (Square(30.0, 150.0, 64.0), (-2, 118), 64),  # wholly below it
    ],
)
def test_a_crop_is_the_references(square: Square, corner: tuple[int, int], side: int) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (80, 100, 3), dtype=np.uint8)
    points = rng.uniform(10, 70, (68, 2)).astype(np.float32)
    crop = crop_face(image, points, square, 32)
    assert crop.box == (*corner, side)
    # A pixel centre lies half a pixel inside of its pixel, before and after.
    moved = (points.astype(np.float64) + 0.5 - corner) * 32 / side - 0.5
    np.testing.assert_allclose(crop.points, moved, rtol=0, atol=1e-4)
    assert np.abs(crop.image - reference_crop(image, *corner, side, 32)).max() <= 1.01  # rounding, and 11 bits in OpenCV


@pytest.mark.parametrize("wide", [True, False])
def test_the_square_of_a_face_is_centred_on_the_nose_and_scaled_by_the_longer_side(wide: bool) -> None:
    points = np.zeros((68, 2), np.float32)
    points[:, 0], points[:, 1] = np.linspace(10, 50, 68), np.linspace(20, 50, 68)
    points = points if wide else points[:, ::-1].copy()
    points[30] = (17, 23)
    assert face_square(points, 2.25) == Square(17.0, 23.0, 2.25 * 40)


def test_smoothed_squares_are_weighted_means_by_frame_number() -> None:
    """Frame numbers with gaps: a frame counts by its distance in frames, not in rows, and up to four widths."""
    rng = np.random.default_rng(1)
    numbers = [1, 2, 3, 7, 8, 9, 10, 15, 16, 30, 31, 33, 40]
    squares = [Square(*rng.uniform(10, 99, 3).tolist()) for _ in numbers]
    frames: list[tuple[int, Square | None, int]] = [(n, s, n) for n, s in zip(numbers, squares, strict=True)]
    frames[4] = (8, None, 8)
    width = 1.5
    found = dict((n, square) for square, n in smooth_squares(iter(frames), width))
    assert list(found) == numbers and found[8] is None
    for number in (n for n in numbers if n != 8):
        seen = [(n, s) for n, s, _ in frames if s is not None and abs(n - number) <= 6]
        weights = np.array([np.exp(-((n - number) ** 2) / (2 * width**2)) for n, _ in seen])
        x, y, side = (float(np.average([getattr(s, name) for _, s in seen], weights=weights)) for name in ("x", "y", "side"))
        square = found[number]
        assert square is not None
        assert (square.x, square.y, square.side) == pytest.approx((x, y, side), rel=1e-9)
