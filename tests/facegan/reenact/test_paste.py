"""A drawn crop goes back to where its source was cut out."""

import numpy as np
import pytest

from facegan.data.ingest.crop import Square, crop_face
from facegan.reenact.paste import Paste
from tests.facegan.data.ingest.videos import face_points

SIZE = 32
SQUARES = [(30, 20, 48), (30.4, 20.7, 47.3), (-20, -10, 60), (90, 60, 60), (10, 10, 16)]


def picture(height: int = 90, width: int = 120) -> np.ndarray:
    """A smooth picture, so that resizing changes little."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([2 * x, 2 * y, x + y], axis=2).astype(np.uint8)


def white(count: int = 1) -> np.ndarray:
    return np.full((count, SIZE, SIZE, 3), 255, np.uint8)


@pytest.mark.parametrize(("left", "top", "side"), SQUARES)
def test_outside_of_the_crop_no_pixel_changes(left: float, top: float, side: float) -> None:
    before = picture()
    (after,) = Paste(before, left, top, side, SIZE).pasted(white())
    y, x = np.mgrid[0:90, 0:120]
    outside = (x + 0.5 < left) | (x + 0.5 > left + side) | (y + 0.5 < top) | (y + 0.5 > top + side)
    assert np.array_equal(after[outside], before[outside])
    assert not np.array_equal(after, before) and np.array_equal(before, picture()), "the picture itself stays"


def test_the_edge_is_soft_and_the_middle_is_the_drawing() -> None:
    (after,) = Paste(np.zeros((64, 64, 3), np.uint8), 8, 8, 48, SIZE).pasted(white())
    row = after[32, 8:56, 0].astype(int)
    assert (row[8:40] == 255).all()
    assert (np.diff(row[:8]) >= 0).all() and 0 < row[1] < 60 and row[0] < 15 and 90 < row[3] < 200
    assert np.array_equal(row, row[::-1]) and np.array_equal(after, after.transpose(1, 0, 2))


def test_the_sources_own_crop_goes_back_to_the_same_place() -> None:
    """Enlarged by 1.5: half a pixel of shift would show as a grey level on each pixel."""
    whole = picture()
    crop = crop_face(whole, face_points(60, 45, 24), Square(60, 45, 48), SIZE)
    left, top, side = crop.box
    (after,) = Paste(whole, left, top, side, SIZE).pasted(crop.image[None])
    inside = np.abs(after.astype(int) - whole)[top : top + side, left : left + side]
    assert inside.max() <= 2 and inside.mean() < 0.6


def test_each_crop_gets_a_picture_of_its_own() -> None:
    crops = np.concatenate([white(), 0 * white()])
    first, second = Paste(picture(), 30, 20, 48, SIZE).pasted(crops)
    assert first[44, 54].tolist() == [255] * 3 and second[44, 54].tolist() == [0] * 3
