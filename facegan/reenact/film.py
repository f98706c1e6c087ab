"""The main path: the driving clip's frames, a few at a time, to drawn faces, to the video, and to scores."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegan.data.ingest.ingest_config import IngestConfig
from facegan.errors import UserError
from facegan.inference import Generate, Images
from facegan.metrics.warp import warped
from facegan.reenact.driving import NOT_IN_THE_VIDEO, DrivingFrame, MissingFrame, driving_frames
from facegan.reenact.frame_scores import FrameScores
from facegan.reenact.inputs import Clip
from facegan.reenact.motion import Motion, pose_distance
from facegan.reenact.options import ReenactOptions
from facegan.reenact.panels import MARK, WARPED_MARK, Panels
from facegan.reenact.source import Source
from facegan.reenact.video import VideoFile

WARPED = "source warped"
_TITLE = "Faces drawn by networks"
"""Of the container's metadata. It names no file, since a path says more of a machine than it should."""
_BATCH = 8
"""Frames that are drawn and scored together. In memory are their pictures and those that smoothing holds back."""


@dataclass(frozen=True, slots=True)
class Reenactment:
    """What is moved, by what, and how. `arms` draw the columns, by their titles."""

    source: Source
    driving: Clip
    arms: Mapping[str, Generate]
    ingest: IngestConfig
    options: ReenactOptions
    one_person: bool = False
    """Whether the driving clip is the source's own."""

    @property
    def total(self) -> int:
        """Frames to show, as far as the header of the driving clip says; 0 where it does not."""
        return min(self.driving.claimed, self.options.frames or self.driving.claimed)

    def columns(self) -> dict[str, Generate]:
        """The arms, and the warped source if it is asked for."""
        points = self.source.crop.points

        def warp(images: Images, targets: NDArray[np.float32]) -> Images:
            return warped(images, np.repeat(points[None], len(images), axis=0), targets)

        return {**self.arms, WARPED: warp} if self.options.warped else dict(self.arms)


@dataclass(slots=True)
class FrameCounts:
    """What became of the frames of the driving clip: those drawn, those held and those that only a header knows, by reason."""

    drawn: int = 0
    held: Counter[str] = field(default_factory=Counter)
    absent: Counter[str] = field(default_factory=Counter)
    compared: int = 0
    """Frames that were looked at for the reference."""
    reference: int = 0
    """The number of the frame that motion is measured from; 0 until it is known."""
    sound: str = ""
    """What was done with the sound; '' if there is none."""

    @property
    def shown(self) -> int:
        """Frames of the video."""
        # A copy, since the line of progress is made in another thread.
        return self.drawn + sum(list(self.held.values()))


def write_video(out: Path, reenactment: Reenactment, scores: FrameScores, counts: FrameCounts, comment: str) -> None:
    """Draw every frame of the driving clip and write the video; a frame without a face shows the last picture once more.

    `comment` goes into the container's metadata. `counts` is brought up to date frame by frame. Raises UserError if no frame of
    the clip has a face.
    """
    source, options = reenactment.source, reenactment.options
    nearest = _nearest_face(reenactment, counts) if options.reference == "nearest" else None
    frames = _frames(reenactment)
    first, before = _first_face(frames, reenactment.driving.name)
    reference = nearest or first
    counts.reference = reference.number
    driving_shape = first.picture.shape if options.paste else first.crop.image.shape
    columns = reenactment.columns()
    marks = [_mark(title, source, options) for title in columns]
    panels = Panels(source, driving_shape, list(columns), marks, options.height, paste=options.paste)
    motion = Motion(source.crop.points, reference.crop.points, options.motion)
    rate, sound = reenactment.driving.rate, reenactment.driving.video
    with VideoFile(out, panels.width, panels.height, rate, title=_TITLE, comment=comment, sound=sound) as video:
        stage = _Stage(panels, video, scores, counts, before)
        rest: Iterator[DrivingFrame | MissingFrame] = chain([first], frames)
        while batch := list(islice(rest, _BATCH)):
            faces = [frame for frame in batch if isinstance(frame, DrivingFrame)]
            drawn = iter(_drawn(faces, source, motion, columns, scores) if faces else [])
            for frame in batch:
                if isinstance(frame, DrivingFrame):
                    stage.show(frame.picture if options.paste else frame.crop.image, next(drawn))
                else:
                    stage.hold(frame)
    counts.sound = video.audio.how + (f", {video.audio.damaged} damaged packets left out" if video.audio.damaged else "")


class _Stage:
    """Composes pictures and writes them; the frames that come before the first face are held as its picture."""

    def __init__(
        self, panels: Panels, video: VideoFile, scores: FrameScores, counts: FrameCounts, before: list[MissingFrame]
    ) -> None:
        self._panels, self._video, self._scores, self._counts, self._before = panels, video, scores, counts, before
        self._last: NDArray[np.uint8] | None = None

    def show(self, driving: NDArray[np.uint8], drawn: list[NDArray[np.uint8]]) -> None:
        self._last = self._panels.picture(driving, drawn)
        for missing in self._before:
            self.hold(missing)
        self._before = []
        self._video.write(self._last)
        self._counts.drawn += 1

    def hold(self, frame: MissingFrame) -> None:
        if frame.reason in NOT_IN_THE_VIDEO:
            self._counts.absent[frame.reason] += 1
            return
        assert self._last is not None, "frames before the first face wait for it"
        self._video.write(self._panels.held(self._last, frame.reason))
        self._scores.hold(frame.number, frame.reason)
        self._counts.held[frame.reason] += 1


def _frames(reenactment: Reenactment) -> Iterator[DrivingFrame | MissingFrame]:
    """The frames of the driving clip that are asked for, read anew."""
    return islice(driving_frames(reenactment.driving.read(), reenactment.ingest), reenactment.options.frames or None)


def _nearest_face(reenactment: Reenactment, counts: FrameCounts) -> DrivingFrame | None:
    """The frame whose landmarks are nearest to the source's, the first of equals; None if no frame has a face."""

    def faces() -> Iterator[DrivingFrame]:
        for frame in _frames(reenactment):
            counts.compared += 1
            if isinstance(frame, DrivingFrame):
                yield frame

    own = reenactment.source.crop.points
    return min(faces(), key=lambda face: pose_distance(own, face.crop.points), default=None)


def _first_face(frames: Iterator[DrivingFrame | MissingFrame], name: str) -> tuple[DrivingFrame, list[MissingFrame]]:
    """The first frame with a face, and the frames before it."""
    before: list[MissingFrame] = []
    for frame in frames:
        if isinstance(frame, DrivingFrame):
            return frame, before
        before.append(frame)
    reasons = Counter(frame.reason for frame in before)
    why = f"; {len(before)} frames, most often: {reasons.most_common(1)[0][0]}" if before else ""
    raise UserError(f"--driving is {name!r}: no frame of it has a face{why}; name another clip, or other --landmarks")


def _drawn(
    faces: list[DrivingFrame], source: Source, motion: Motion, columns: Mapping[str, Generate], scores: FrameScores
) -> list[list[NDArray[np.uint8]]]:
    """What each column shows in each frame; the scores are told."""
    targets = motion.targets(np.stack([face.crop.points for face in faces]))
    images = np.repeat(source.crop.image[None], len(faces), axis=0)
    drawn = {title: draw(images, targets) for title, draw in columns.items()}
    scores.add([face.number for face in faces], targets, np.stack([face.crop.image for face in faces]), drawn)
    return [list(of_frame) for of_frame in zip(*drawn.values(), strict=True)]


def _mark(title: str, source: Source, options: ReenactOptions) -> str:
    if not options.mark:
        return ""
    return WARPED_MARK if title == WARPED else MARK[source.rendered]
