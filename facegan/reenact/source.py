"""The person whose face is moved: the picture, its landmarks, and its crop, made as training images are."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegan.data.ingest.clip_reader import LocatedFrame
from facegan.data.ingest.crop import Crop, face_square
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.errors import UserError
from facegan.files import file_sha256
from facegan.landmarks.boxes import bgr_to_rgb
from facegan.landmarks.plausible import why_implausible
from facegan.landmarks.points import BadAnnotation, read_pts
from facegan.reenact.crops import cropped
from facegan.reenact.inputs import RENDERED, Clip, Landmarks, is_photo, open_clip, read_photo, rendered_source

_FRAMES_LOOKED_AT = 100
"""Frames of a clip among which the source and a second frame of the person are taken."""


@dataclass(frozen=True, slots=True)
class Source:
    """The person's picture [height, width, 3] RGB, and the crop of the face with its landmarks, RGB too.

    `second` is the crop of another frame of the same person, None if there is one photo only. `landmarks` says where they come
    from, and `sha256` is that of the file or files, '' if the person is rendered.
    """

    name: str
    sha256: str
    picture: NDArray[np.uint8]
    crop: Crop
    second: Crop | None
    landmarks: str
    rendered: bool

    def line(self) -> str:
        """For the console."""
        side, size = self.crop.box[2], len(self.crop.image)
        return f"{self.name}: landmarks by {self.landmarks}; crop of {side} pixels, {size} for the networks"


def read_source(path: str, ingest: IngestConfig, landmarks: Landmarks, rate: float) -> Source:
    """The source of a photo, of a clip's first frame with landmarks, or of a rendered person.

    A photo's .pts file lies beside it. Raises UserError if there is no face, or none that can be cropped.
    """
    if path == RENDERED:
        return _of_clip(rendered_source(), ingest)
    if not is_photo(path):
        return _of_clip(open_clip(path, "--source", landmarks, rate), ingest)
    image, factor = read_photo(path)
    beside = Path(path).with_suffix(".pts")
    if landmarks.annotated or (landmarks.annotated is None and beside.exists()):
        points, origin = _annotated(path, beside, factor), beside.name
    else:
        finder = landmarks.finder()
        finder.restart()
        (found,) = finder.find([image])
        if isinstance(found, str):
            raise UserError(f"--source is {path!r}: {found}; give a photo that shows one face from the front")
        points, origin = found, finder.name
    crop = cropped(image, points, face_square(points, ingest.crop_scale), ingest.size)
    if isinstance(crop, str):
        raise UserError(f"--source is {path!r}: {crop}; give another photo")
    return Source(path, file_sha256(Path(path)), bgr_to_rgb(image), crop, None, origin, rendered=False)


def _annotated(path: str, file: Path, factor: float) -> NDArray[np.float32]:
    """The points [68, 2] in the .pts file of a photo that was reduced by a factor; whole numbers are pixel centres."""
    try:
        points = np.asarray((read_pts(file) + 0.5) * factor - 0.5, np.float32)
    except BadAnnotation as reason:
        raise UserError(f"--source is {path!r}: {file.name}: {reason}; correct it, or give --landmarks dlib") from None
    reason_against = why_implausible(points)
    if reason_against:
        raise UserError(f"--source is {path!r}: {file.name}: {reason_against}; correct it, or give --landmarks dlib")
    return points


def _of_clip(clip: Clip, ingest: IngestConfig) -> Source:
    """The first frame of a clip that can be cropped, and the last such frame among those looked at."""
    first: tuple[NDArray[np.uint8], Crop] | None = None
    second: Crop | None = None
    reason = "it has no frames"
    for frame in islice(clip.read(), _FRAMES_LOOKED_AT):
        if not isinstance(frame, LocatedFrame):
            reason = frame.reason
            continue
        crop = cropped(frame.image, frame.points, face_square(frame.points, ingest.crop_scale), ingest.size)
        if isinstance(crop, str):
            reason = crop
        elif first is None:
            first = bgr_to_rgb(frame.image), crop
        else:
            second = crop
    if first is None:
        looked = f"none of its first {_FRAMES_LOOKED_AT} frames shows a face"
        raise UserError(f"--source is {clip.name!r}: {looked} ({reason}); name another clip")
    picture, crop = first
    return Source(clip.name, clip.sha256, picture, crop, second, clip.landmarks, clip.rendered)
