"""The frames of a clip with their landmarks, from .pts files or found in the images. Bad frames come out with a reason."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegan.data.ingest.clip_record import Quarantined
from facegan.data.ingest.frames import ENDED, UNREADABLE, BadFrame, Frame, claimed_frames, decode
from facegan.data.ingest.sources import ClipSource
from facegan.landmarks.finder import LandmarkFinder
from facegan.landmarks.plausible import why_implausible
from facegan.landmarks.points import BadAnnotation, read_pts

OUTSIDE = "most landmarks lie outside the image"
NO_FRAME = "annotation belongs to no frame"
_ANNOTATIONS_AT_A_TIME = 64


@dataclass(frozen=True, slots=True)
class LocatedFrame:
    """A good frame: its number from 1, image [height, width, 3] uint8 BGR, landmarks [68, 2] in its pixels.

    `where` is the file of the source that the landmarks are from.
    """

    frame: int
    image: NDArray[np.uint8]
    points: NDArray[np.float32]
    where: str


class ClipReader:
    """Reads one clip once, with a few frames in memory at a time, and counts its frames.

    Without a finder the landmarks come from the clip's .pts files. `claimed` is the number of frames by the header of the
    video, which damage can make wrong in both directions.
    """

    def __init__(self, clip: ClipSource, root: Path, finder: LandmarkFinder | None) -> None:
        self.clip, self._root, self._finder = clip, root, finder
        self._annotations = clip.annotations() if finder is None else {}
        video = root / clip.video
        self.claimed = claimed_frames(video) if video.exists() else 0
        self._decoded = 0
        self._points_ahead: dict[int, tuple[NDArray[np.float32] | str, str]] = {}

    def frames_read(self) -> int:
        """Number of frames known from the header, the decoder and the annotations; 1 for a clip that shows none at all.

        Complete only after `read` has ended.
        """
        known = max(self.claimed, self._decoded)
        return max(known + sum(not 1 <= number <= known for number in self._annotations), 1)

    def read(self) -> Iterator[LocatedFrame | Quarantined]:
        """Every frame once: the decoded ones in order, then those that only the header or the annotations know."""
        if self._finder:
            self._finder.restart()
        decoded = self._decode()
        while frames := list(islice(decoded, self._finder.batch if self._finder else 1)):
            located = iter(self._locate([frame for frame in frames if isinstance(frame, Frame)]))
            for frame in frames:
                yield next(located) if isinstance(frame, Frame) else self._reject(frame.number, frame.reason)
        yield from self._never_decoded()

    def _decode(self) -> Iterator[Frame | BadFrame]:
        if (self._root / self.clip.video).exists():
            for frame in decode(self._root / self.clip.video):
                self._decoded += 1
                yield frame

    def _never_decoded(self) -> Iterator[Quarantined]:
        known = max(self.claimed, self._decoded)
        reason = ENDED if self._decoded else UNREADABLE
        for number in range(self._decoded + 1, self.claimed + 1):
            yield self._reject(number, reason)
        for number, key in sorted(self._annotations.items()):
            if number > known:
                yield self._reject(number, reason)
            elif number < 1:
                yield Quarantined(self.clip.clip, number, NO_FRAME, key)
        if not known and not self._annotations:
            yield self._reject(0, UNREADABLE)

    def _locate(self, frames: list[Frame]) -> list[LocatedFrame | Quarantined]:
        if self._finder is None:
            return [self._annotated(frame) for frame in frames]
        found = self._finder.find([frame.image for frame in frames]) if frames else []
        return [
            self._reject(frame.number, points) if isinstance(points, str) else self._checked(frame, points, self.clip.video)
            for frame, points in zip(frames, found, strict=True)
        ]

    def _annotated(self, frame: Frame) -> LocatedFrame | Quarantined:
        if frame.number not in self._points_ahead:
            # Many at a time: read one by one between two frames, whose pixels fill the CPU's caches, they take twice as long.
            ahead = range(frame.number, frame.number + _ANNOTATIONS_AT_A_TIME)
            self._points_ahead = {number: self._read_pts(number) for number in ahead}
        points, key = self._points_ahead[frame.number]
        if isinstance(points, str):
            return Quarantined(self.clip.clip, frame.number, points, key)
        return self._checked(frame, points, key)

    def _read_pts(self, number: int) -> tuple[NDArray[np.float32] | str, str]:
        """The points of a frame, or the reason why it has none, and the key of the file."""
        if number not in self._annotations:
            return "annotation missing", f"{self.clip.clip}/annot/{number:06d}.pts"
        key = self._annotations[number]
        try:
            return read_pts(f"{self._root}/{key}"), key
        except BadAnnotation as reason:
            return str(reason), key

    def _checked(self, frame: Frame, points: NDArray[np.float32], where: str) -> LocatedFrame | Quarantined:
        height, width = frame.image.shape[:2]
        reason = OUTSIDE if _share_inside(points, width, height) < 0.5 else why_implausible(points)
        if reason:
            return Quarantined(self.clip.clip, frame.number, reason, where)
        return LocatedFrame(frame.number, frame.image, points, where)

    def _reject(self, number: int, reason: str) -> Quarantined:
        return Quarantined(self.clip.clip, number, reason, self.clip.video)


def _share_inside(points: NDArray[np.float32], width: int, height: int) -> float:
    """Share of the points [68, 2] that lie inside of an image."""
    if points.min() >= 0 and points[:, 0].max() <= width - 1 and points[:, 1].max() <= height - 1:
        return 1.0  # the common case, in half of the time
    return float(((points >= 0) & (points <= [width - 1, height - 1])).all(axis=1).mean())
