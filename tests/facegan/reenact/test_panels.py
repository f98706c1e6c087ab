"""The pictures of a frame side by side."""

import numpy as np

from facegan.data.ingest.crop import Crop
from facegan.reenact.panels import Panels
from facegan.reenact.source import Source


def test_the_mark_can_be_read_on_the_smallest_picture() -> None:
    """Fourteen rows, which is more than its share of a picture of 64 pixels."""
    picture = np.full((64, 80, 3), 200, np.uint8)
    crop = Crop(picture[:32, :32], np.zeros((68, 2), np.float32), (0, 0, 32))
    source = Source("one", "", picture, crop, None, "dlib", rendered=True)
    panels = Panels(source, picture.shape, ["arm"], ["drawn by a network"], 64, paste=True)
    sheet = panels.picture(picture, [crop.image])
    column = sheet[-64:, -1].max(axis=-1)
    assert column[-14:].max() < 100 < column[:-14].min()
