"""Landmarks that leave the face for one frame."""

import numpy as np
import pytest
from numpy.typing import NDArray

from facegan.data.ingest.clip_reader import LocatedFrame
from facegan.data.ingest.clip_record import Quarantined
from facegan.data.ingest.jumps import JUMP, reject_jumps
from tests.facegan.data.ingest.videos import face_points

IMAGE = np.zeros((200, 200, 3), np.uint8)
Points = NDArray[np.float32]


def frames_of(*points: Points | None) -> list[LocatedFrame | Quarantined]:
    return [
        Quarantined("c", n, "missing", "") if p is None else LocatedFrame(n, IMAGE, p, f"{n}.pts")
        for n, p in enumerate(points, 1)
    ]


def moving(count: int) -> list[Points | None]:
    """A face of 40 pixels that moves by 4 pixels a frame."""
    return [face_points(50 + 4 * number, 60, 40) for number in range(count)]


@pytest.mark.parametrize("elsewhere", [face_points(150, 150, 40), face_points(58, 60, 15), face_points(58, 60, 100)])
def test_a_frame_that_leaves_the_face_is_quarantined(elsewhere: Points) -> None:
    points = moving(6)
    points[2] = elsewhere
    frames = frames_of(*points)
    out = list(reject_jumps(iter(frames), "c"))
    assert out[2] == Quarantined("c", 3, JUMP, "3.pts")
    assert [a is b for a, b in zip(out, frames, strict=True)] == [True, True, False, True, True, True]


def test_motion_cuts_and_gaps_are_no_jumps() -> None:
    cut = [*moving(3), *[face_points(150, 150, 60)] * 3]
    gap = moving(7)
    gap[2] = None
    gap[3] = face_points(150, 150, 40)  # only one neighbour is known
    for points in (moving(5), cut, gap, moving(1), moving(2), []):
        frames = frames_of(*points)
        assert all(a is b for a, b in zip(reject_jumps(iter(frames), "c"), frames, strict=True))
