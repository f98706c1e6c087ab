"""Sample grids and contact sheets."""

import numpy as np

from facegan.data.face_data import FaceData
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
    assert sheet.shape == (52 + 3 * (side + gap), 118 + 2 * (side + gap), 3)
