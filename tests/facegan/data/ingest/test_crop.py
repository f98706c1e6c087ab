"""The crop around a face, its landmarks, and its smoothing over time."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facegan.data.ingest.crop import Square, crop_face, face_square, smooth_squares
from facegan.landmarks.points import mirror


def gradient(height: int, width: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("offset", [0.0, 0.3])
def test_landmarks_stay_on_their_pixels_through_crop_and_flip(offset: float) -> None:
    """On an image whose colour is its coordinate, the colour under a landmark tells where it came from."""
    points = np.random.default_rng(0).uniform(60, 140, (68, 2)).astype(np.float32) + offset
    crop = crop_face(gradient(200, 200), points, face_square(points, 2.0), 128)
    left, top, side = crop.box
    back = (crop.points + 0.5) * side / 128 - 0.5 + [left, top]
    assert np.abs(back - points).max() < 0.01
    flipped = mirror(mirror(crop.points, 128), 128)
    assert np.abs(flipped - crop.points).max() < 0.01
    inner = [p for p in crop.points if (p > 2).all() and (p < 125).all()]
    for x, y in inner[:10]:
        colour = cv2.getRectSubPix(crop.image.astype(np.float32), (1, 1), (float(x), float(y)))[0, 0]
        origin = np.array([(x + 0.5) * side / 128 - 0.5 + left, (y + 0.5) * side / 128 - 0.5 + top])
        assert np.abs(colour[:2] - origin).max() < 1.5


def test_a_crop_beyond_the_border_is_padded_not_shrunk() -> None:
    points = np.random.default_rng(1).uniform(0, 60, (68, 2)).astype(np.float32)
    points[30] = 5
    crop = crop_face(gradient(100, 100), points, face_square(points, 2.25), 64)
    assert crop.image.shape == (64, 64, 3)
    extent = (points.max(0) - points.min(0)).max()
    assert abs(crop.box[2] - 2.25 * extent) <= 1
    assert crop.box[0] < 0 and crop.box[1] < 0


def moving_squares() -> list[tuple[int, Square | None, str]]:
    rng = np.random.default_rng(0)
    frames: list[tuple[int, Square | None, str]] = [
        (n, Square(100 + n + rng.normal(), 50 + rng.normal(), 80.0), f"frame {n}") for n in range(1, 41)
    ]
    frames[9] = (10, None, "frame 10")
    return frames


def test_smoothed_squares_follow_the_face_with_less_jitter() -> None:
    frames = moving_squares()
    out = list(smooth_squares(iter(frames), 3.0))
    assert [what for _, what in out] == [what for _, _, what in frames]
    assert out[9][0] is None
    x = np.array([s.x for s, _ in out if s is not None])
    raw = np.array([s.x for _, s, _ in frames if s is not None])
    assert np.diff(x[9:], 2).std() < 0.1 * np.diff(raw[9:], 2).std()  # beyond the gap, where one step is two frames wide
    assert np.abs(x - raw)[8:-8].max() < 3.5
    # The plain formula, over all frames within four widths.
    number = 20
    near = [(n, s) for n, s, _ in frames if s is not None and abs(n - number) <= 12]
    weights = np.exp(-0.5 * ((np.array([n for n, _ in near]) - number) / 3.0) ** 2)
    mean = out[number - 1][0]
    assert mean is not None
    assert mean.x == pytest.approx(float(weights @ [s.x for _, s in near] / weights.sum()))


def test_a_width_of_zero_smooths_nothing() -> None:
    frames = moving_squares()
    assert [s for s, _ in smooth_squares(iter(frames), 0.0)] == [s for _, s, _ in frames]


def test_smoothing_looks_ahead_four_widths_at_most() -> None:
    taken = 0

    def counted() -> Iterator[tuple[int, Square | None, str]]:
        nonlocal taken
        for n in range(1, 10_000):
            taken = n
            yield n, Square(1.0, 1.0, 2.0), ""

    out = smooth_squares(counted(), 2.0)
    for _ in range(100):
        next(out)
    assert taken <= 100 + 8
