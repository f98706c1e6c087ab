"""Landmarks that leave the face for a single frame, which no check of one frame alone can see."""

import math
from collections import deque
from collections.abc import Iterable, Iterator

from facegan.data.ingest.clip_reader import LocatedFrame
from facegan.data.ingest.clip_record import Quarantined
from facegan.data.ingest.crop import Square, face_square

JUMP = "the landmarks leave the face for one frame"

_FAR = 1.0
"""Distance from both neighbours, in sizes of the face. A face moves by a tenth of its size between two frames."""
_GROWTH = 2.0
"""Ratio of sizes to both neighbours."""
_NEAR, _SAME_SIZE = 0.5, 1.4
"""The neighbours are of one face if they are at most this far apart and differ in size by at most this ratio."""


def reject_jumps(frames: Iterable[LocatedFrame | Quarantined], clip: str) -> Iterator[LocatedFrame | Quarantined]:
    """The frames of a clip, in order, with those quarantined whose landmarks lie elsewhere than in the frame before and after.

    A cut to another face is no jump: its neighbours differ from each other. Holds back one frame.
    """
    window: deque[tuple[LocatedFrame | Quarantined, Square | None]] = deque(maxlen=3)
    for frame in frames:
        window.append((frame, face_square(frame.points, 1.0) if isinstance(frame, LocatedFrame) else None))
        if len(window) == 3:
            yield _checked(window, clip)
        elif len(window) == 1:
            yield frame  # nothing is before the first one
    if len(window) > 1:
        yield window[-1][0]


def _checked(window: deque[tuple[LocatedFrame | Quarantined, Square | None]], clip: str) -> LocatedFrame | Quarantined:
    (first, before), (frame, now), (last, after) = window
    if before is None or now is None or after is None or not isinstance(frame, LocatedFrame):
        return frame
    if (first.frame, last.frame) != (frame.frame - 1, frame.frame + 1) or _differ(before, after, _NEAR, _SAME_SIZE):
        return frame
    if _differ(before, now, _FAR, _GROWTH) and _differ(after, now, _FAR, _GROWTH):
        return Quarantined(clip, frame.frame, JUMP, frame.where)
    return frame


def _differ(one: Square, other: Square, distance: float, ratio: float) -> bool:
    sizes = max(one.side, other.side) / min(one.side, other.side)
    return math.hypot(one.x - other.x, one.y - other.y) > distance * one.side or sizes > ratio
