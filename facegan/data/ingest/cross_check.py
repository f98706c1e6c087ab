"""A detector's second opinion on the landmarks of a clip: frames that it contradicts are rejected, others may stay in doubt."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from facegan.data.ingest.clip_reader import LocatedFrame
from facegan.data.ingest.clip_record import Quarantined
from facegan.landmarks.finder import DISAGREES, NO_FACE_NEAR

Check = Callable[[NDArray[np.uint8], NDArray[np.float32]], str]
"""From a BGR image [height, width, 3] and points [68, 2] to DISAGREES, NO_FACE_NEAR, or '' if a detector agrees."""


class CrossCheck:
    """Passes on the frames of a clip and counts those in which the detector found no face: they are kept, but in doubt."""

    def __init__(self, check: Check | None, clip: str) -> None:
        self._check, self._clip, self.doubtful = check, clip, 0

    def passed(self, frames: Iterable[LocatedFrame | Quarantined]) -> Iterator[LocatedFrame | Quarantined]:
        """The frames in order; those whose landmarks the detector contradicts are quarantined. Without a check all stay."""
        for frame in frames:
            answer = self._check(frame.image, frame.points) if self._check and isinstance(frame, LocatedFrame) else ""
            self.doubtful += answer == NO_FACE_NEAR
            if answer == DISAGREES and isinstance(frame, LocatedFrame):
                yield Quarantined(self._clip, frame.frame, DISAGREES, frame.where)
            else:
                yield frame
