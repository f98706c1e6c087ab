"""The source warped to the target landmarks: exact where the warp is known, and a row of every card."""

import numpy as np
import pytest

from facegan.data.reading.face_data import FaceData
from facegan.metrics.image_quality import face_error, face_masks
from facegan.metrics.pairs import images_of
from facegan.metrics.warp import warped


def smooth(size: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """[1, size, size, 3]: ramps along x, along y and along both, which bilinear interpolation reproduces."""
    y, x = np.mgrid[:size, :size]
    return np.stack([x, y, x + y], axis=-1)[None].astype(np.uint8)


def spread_points(size: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """[1, 68, 2]: points spread over the middle of the image, a grid of 64 and four between."""
    grid = np.linspace(0.25 * size, 0.75 * size, 8)
    x, y = np.meshgrid(grid, grid)
    middle = np.array([[0.4, 0.45], [0.6, 0.45], [0.45, 0.6], [0.55, 0.62]]) * size
    return np.concatenate([np.stack([x.ravel(), y.ravel()], axis=1), middle])[None].astype(np.float32)


def test_the_same_landmarks_give_the_same_image() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
    points = spread_points(32)
    assert np.array_equal(warped(image, points, points), image)


def test_a_shift_of_all_landmarks_moves_the_face_and_not_the_border() -> None:
    """Inside of the landmarks every pixel comes from 3 pixels to its left and 2 above."""
    image, points = smooth(64), spread_points(64)
    wanted = points + np.array([3, 2], np.float32)
    moved = warped(image, points, wanted)
    inside = (slice(None), slice(20, 48), slice(21, 49))
    assert np.array_equal(moved[inside][..., 0], image[inside][..., 0] - 3)
    assert np.array_equal(moved[inside][..., 1], image[inside][..., 1] - 2)
    assert np.abs(moved.astype(int) - image)[:, [0, -1]].max() <= 1, "the border stays"
    assert moved.dtype == np.uint8 and moved.shape == image.shape


def test_landmarks_outside_of_the_crop_are_no_error() -> None:
    image, points = smooth(32), spread_points(32)
    wanted = points.copy()
    wanted[0, :8, 1] = -6
    assert warped(image, points, wanted).shape == image.shape
    assert warped(image[:0], points[:0], wanted[:0]).shape == (0, 32, 32, 3)


def test_a_warped_source_is_closer_to_the_target_than_a_copy(data: FaceData) -> None:
    clips = data.clips("test", 0.0)
    rows = np.array([rows[[0, -1]] for rows in clips.values()])
    sources, targets = images_of(data, rows[:, 0]), images_of(data, rows[:, 1])
    masks = face_masks(data.points[rows[:, 1]], data.size)
    moved = warped(sources, data.points[rows[:, 0]], data.points[rows[:, 1]])
    assert face_error(moved, targets, masks).mean() < 0.9 * face_error(sources, targets, masks).mean()
    wrong_way = warped(sources, data.points[rows[:, 1]], data.points[rows[:, 0]])
    assert face_error(wrong_way, targets, masks).mean() > face_error(moved, targets, masks).mean()


def test_float_images_are_refused() -> None:
    points = spread_points(32)
    with pytest.raises(AssertionError):
        warped(smooth(32).astype(np.float32), points, points)
