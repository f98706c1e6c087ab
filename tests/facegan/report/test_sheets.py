"""Sample grids and contact sheets."""

import numpy as np

from facegan.data.reading.face_data import FaceData
from facegan.metrics.pairs import images_of
from facegan.report.sheets import contact_sheet, sample_grid


def test_sheets_contain_the_given_images(data: FaceData) -> None:
    rows = np.array([0, 1])
    images = images_of(data, rows)
    grid = sample_grid(images, data.points[rows], images[::-1], images)
    side, gap = 96, 3
    column = [26 + r * (side + gap) for r in (0, 1)]
    for c, tiles in ((0, images), (2, images[::-1]), (3, images)):
        left = gap + c * (side + gap)
        for top, tile in zip(column, tiles, strict=True):
            assert (grid[top : top + side : 3, left : left + side : 3] == tile).all()
    sheet = contact_sheet(data, people=3, frames=2)
    assert sheet.dtype == np.uint8
    side = 128
    assert sheet.shape == (52 + 3 * (side + gap), 118 + 2 * (side + gap), 3)


def test_every_picture_of_the_contact_sheet_has_its_landmarks(data: FaceData) -> None:
    sheet, side, gap = contact_sheet(data, people=2, frames=3), 128, 3
    red, green, blue = (sheet[:, :, channel].astype(int) for channel in range(3))
    lines = (green > red + 60) & (green > blue + 40)
    for row in range(2):
        for column in range(3):
            top, left = 52 + row * (side + gap), 118 + column * (side + gap)
            assert lines[top : top + side, left : left + side].sum() > 50


def test_the_clips_that_are_in_doubt_come_first_in_up_to_half_of_the_rows(data: FaceData) -> None:
    top, gap, side = 52, 3, 128
    sheet = contact_sheet(data, people=4, frames=1, first=["5002", "1004", "1001"])
    alone = contact_sheet(data, people=1, frames=1, first=["5002"])
    assert np.array_equal(sheet[top : top + side], alone[top : top + side])
    rows = [sheet[top + r * (side + gap) :][:side, 118:] for r in range(4)]
    assert len({row.tobytes() for row in rows}) == 4, "no clip twice"
