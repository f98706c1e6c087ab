"""The frames of the driving clip, cropped as training images are, each with its landmarks or the reason why it has none."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegan.data.ingest.clip_reader import NO_FRAME, LocatedFrame
from facegan.data.ingest.clip_record import Quarantined
from facegan.data.ingest.crop import Crop, Square, face_square, fits, smooth_squares
from facegan.data.ingest.frames import ENDED, UNREADABLE
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.landmarks.boxes import bgr_to_rgb
from facegan.reenact.crops import cropped

NOT_IN_THE_VIDEO = (NO_FRAME, ENDED, UNREADABLE)
"""Reasons of frames that only a header or an annotation knows: there is nothing to show in their place."""


@dataclass(frozen=True, slots=True)
class DrivingFrame:
    """A frame with a face: its number in the clip from 1, its picture [height, width, 3] RGB, and the crop of the face, RGB."""

    number: int
    picture: NDArray[np.uint8]
    crop: Crop


@dataclass(frozen=True, slots=True)
class MissingFrame:
    """A frame without a usable face, and the reason."""

    number: int
    reason: str


def driving_frames(frames: Iterable[LocatedFrame | Quarantined], ingest: IngestConfig) -> Iterator[DrivingFrame | MissingFrame]:
    """The frames of a clip in order, each once; holds back only as many as the smoothing of the crops looks ahead."""
    for square, frame in smooth_squares(_squares(frames, ingest.crop_scale), ingest.crop_smoothing):
        if isinstance(frame, Quarantined):
            yield MissingFrame(frame.frame, frame.reason)
            continue
        # Without a square it is too large, which `cropped` says.
        crop = cropped(frame.image, frame.points, square or face_square(frame.points, ingest.crop_scale), ingest.size)
        if isinstance(crop, str):
            yield MissingFrame(frame.frame, crop)
        else:
            yield DrivingFrame(frame.frame, bgr_to_rgb(frame.image), crop)


def _squares(
    frames: Iterable[LocatedFrame | Quarantined], scale: float
) -> Iterator[tuple[int, Square | None, LocatedFrame | Quarantined]]:
    """The square of each frame that can be cropped; the others have none, so that they do not move the smoothed squares."""
    for frame in frames:
        square = face_square(frame.points, scale) if isinstance(frame, LocatedFrame) else None
        usable = isinstance(frame, LocatedFrame) and square is not None and fits(square, frame.image)
        yield frame.frame, square if usable else None, frame
