"""The frames of a driving clip, cropped."""

from dataclasses import replace

import numpy as np

from facegan.data.ingest.clip_reader import LocatedFrame
from facegan.data.ingest.crop import TOO_LARGE
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.reenact.driving import DrivingFrame, MissingFrame, driving_frames
from tests.facegan.data.ingest.videos import face_points

INGEST = IngestConfig(size=64, crop_smoothing=5)


def test_a_face_that_is_too_large_is_missing_and_moves_no_other_crop() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    frames = [LocatedFrame(number, picture, face_points(64, 48, 40), "") for number in range(1, 6)]
    large = replace(frames[2], points=face_points(64, 48, 4000))
    found = list(driving_frames([*frames[:2], large, *frames[3:]], INGEST))
    assert isinstance(found[2], MissingFrame) and (found[2].number, found[2].reason) == (3, TOO_LARGE)
    faces = [frame for frame in found if isinstance(frame, DrivingFrame)]
    assert [face.number for face in faces] == [1, 2, 4, 5]
    assert len({face.crop.box for face in faces}) == 1
