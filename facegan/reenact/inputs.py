"""What a video starts from: the driving clip, and the image of the person, from files or rendered.

A clip is a video, a folder with one and .pts files (the layout of 300VW), or a folder of images with or without .pts files.
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.data.ingest.clip_reader import ClipReader, LocatedFrame
from facegan.data.ingest.clip_record import Quarantined
from facegan.data.ingest.jumps import reject_jumps
from facegan.data.ingest.listing import SourceFile, files_of
from facegan.data.ingest.sources import IMAGES, VIDEOS, ClipSource, content_hash, find_clips
from facegan.errors import UserError
from facegan.landmarks.finder import LandmarkFinder
from facegan.synthetic.clips import FRAMES_PER_SECOND, ClipJob, film
from facegan.synthetic.config import GENERATOR_VERSION

RENDERED = "rendered"
"""In place of a path: people that a program has drawn, whom no data set contains."""
_SOURCE_PERSON, _DRIVING_PERSON = 9110, 9366
"""Numbers of rendered people, both at rest in their first frame. Data sets have people from 1001 and from 5001 on."""
_RENDERED_SIDE = 240
_HIGHEST_RATE = 1000
_LONGEST_SIDE = 2048
"""Pixels to which a larger photo is reduced: no column of a video is larger, and detectors take seconds beyond."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Frames with landmarks; each call of `read` reads them anew, and ends before the next begins.

    `name` is what the user called it and `sha256` the hash of its files, '' if it is rendered. `claimed` is the number of
    frames by its header or listing. `video` is the file that may have sound. `landmarks` says where they come from.
    """

    name: str
    sha256: str
    read: Callable[[], Iterator[LocatedFrame | Quarantined]]
    claimed: int
    rate: Fraction
    video: Path | None
    landmarks: str
    rendered: bool = False

    def line(self) -> str:
        """For the console."""
        return f"{self.name}: {self.claimed} frames, {float(self.rate):g} a second; landmarks by {self.landmarks}"


@dataclass(frozen=True, slots=True)
class Landmarks:
    """Where landmarks come from: .pts files (`annotated` True), a detector (False), or .pts files where there are any (None).

    `finder` gives the detector, and is called only where one is needed, since loading it takes time.
    """

    annotated: bool | None
    finder: Callable[[], LandmarkFinder]


def check_path(path: str, flag: str, *, photo: bool) -> None:
    """Raise UserError if there is no such clip, or, with `photo`, neither a clip nor a picture."""
    allowed = "a video, a folder in the 300VW layout (vid.avi, annot) or of images" + (", or a photo" if photo else "")
    if not path:
        raise UserError(f"{flag} is missing: {allowed}; or '{RENDERED}', people that a program has drawn")
    if path == RENDERED:
        return
    found = Path(path)
    if not found.exists():
        raise UserError(f"{flag} is {path!r}: no such file or folder; give {allowed}")
    suffixes = (*VIDEOS, *(IMAGES if photo else ()))
    if found.is_file() and found.suffix.lower() not in suffixes:
        raise UserError(f"{flag} is {path!r}: not a file that can be read here; give {allowed} ({', '.join(suffixes)})")


def is_photo(path: str) -> bool:
    """Whether a path that `check_path` has accepted is a single picture."""
    return Path(path).suffix.lower() in IMAGES and Path(path).is_file()


def open_clip(path: str, flag: str, landmarks: Landmarks, rate: float) -> Clip:
    """The clip at a path that `check_path` has accepted; `rate` is for folders of images.

    Raises UserError if there is no clip, no video stream, or no annotation where these are asked for.
    """
    clip, root = _clip_at(path, flag)
    uses_files = bool(clip.annotations()) if landmarks.annotated is None else landmarks.annotated
    if uses_files and not clip.annotations():
        raise UserError(f"{flag} is {path!r}: it has no .pts files; give --landmarks dlib")
    used = None if uses_files else landmarks.finder()
    video = root / clip.video
    if not video.exists():
        raise UserError(f"{flag} is {path!r}: it holds annotations but neither a video nor images; add them")
    found_rate = Fraction(rate).limit_denominator(_HIGHEST_RATE) if video.is_dir() else _frame_rate(video, path, flag)
    return Clip(
        name=path,
        sha256=content_hash(clip, root),
        read=lambda: reject_jumps(ClipReader(clip, root, used).read(), clip.clip),
        claimed=ClipReader(clip, root, used).claimed,
        rate=found_rate,
        video=None if video.is_dir() else video,
        landmarks=".pts files" if used is None else used.name,
    )


def rendered_driving() -> Clip:
    """A rendered person in motion, 3 seconds."""
    return _rendered(_DRIVING_PERSON, 3 * FRAMES_PER_SECOND)


def rendered_source() -> Clip:
    """Another one, a few frames."""
    return _rendered(_SOURCE_PERSON, 8)


def _rendered(number: int, frames: int) -> Clip:
    def drawn() -> Iterator[LocatedFrame | Quarantined]:
        job = ClipJob(Path(), number, 0, frames, _RENDERED_SIDE)
        for index, (picture, points) in enumerate(film(job), start=1):
            yield LocatedFrame(index, picture, points.astype(np.float32), RENDERED)

    name = f"rendered person {number}, version {GENERATOR_VERSION} (SYNTHETIC)"
    return Clip(name, "", drawn, frames, Fraction(FRAMES_PER_SECOND), None, "the renderer", rendered=True)


def read_photo(path: str) -> tuple[NDArray[np.uint8], float]:
    """A photo [height, width, 3] BGR, turned as its metadata says, and the factor by which it was reduced, at most 1.

    Raises UserError if it cannot be decoded.
    """
    try:
        content = np.fromfile(path, np.uint8)
        image = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    except (OSError, cv2.error) as error:
        reason = error.strerror if isinstance(error, OSError) else "OpenCV does not take it"
        raise UserError(f"--source is {path!r}: it cannot be read ({reason}); give another photo") from None
    if image is None:
        raise UserError(f"--source is {path!r}: damaged, or no picture; give another photo")
    factor = min(1.0, _LONGEST_SIDE / max(image.shape[:2]))
    if factor < 1:
        image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(image, np.uint8), factor


def _clip_at(path: str, flag: str) -> tuple[ClipSource, Path]:
    """The only clip at a path, and the folder that its keys are relative to."""
    place = Path(path).absolute()
    if place.is_dir():
        inside, refused = files_of(place, (*VIDEOS, *IMAGES, ".pts"))
        files = [SourceFile(f"{place.name}/{file.key}", file.size, file.tag) for file in inside]
        name = place.name
    else:
        files, refused, name = [SourceFile(place.name, place.stat().st_size, "")], [], place.stem
    try:
        (clip,) = find_clips(files, refused, json.dumps({"train": [name]}).encode(), path).clips
    except UserError as reason:
        raise UserError(str(reason).replace("--source", flag, 1)) from None
    return clip, place.parent


def _frame_rate(video: Path, path: str, flag: str) -> Fraction:
    """Frames a second: their number over their duration, so that the sound keeps in step on the whole."""
    try:
        with av.open(str(video), metadata_errors="ignore") as container:
            if not container.streams.video:
                raise UserError(f"{flag} is {path!r}: {video.name} has no video stream; give another clip")
            stream = container.streams.video[0]
            rate = stream.average_rate or stream.guessed_rate
    except (av.error.FFmpegError, OSError) as error:
        raise UserError(f"{flag} is {path!r}: {video.name} cannot be read as a video ({error}); give another clip") from None
    if rate is None or not 0 < rate <= _HIGHEST_RATE or not math.isfinite(float(rate)):
        raise UserError(f"{flag} is {path!r}: {video.name} does not say how many frames a second it has; convert it first")
    return Fraction(rate).limit_denominator(100_000)
