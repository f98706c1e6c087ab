"""The configuration of an ingest."""

from dataclasses import dataclass
from typing import Literal

from facegan.errors import UserError
from facegan.landmarks.finder import CheckName, FinderName


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestConfig:
    """How clips become rows of a data set. Raises UserError for a value out of range."""

    size: int = 128
    """Side of the crops, pixels: a multiple of 16, from 32 to 1024."""
    crop_scale: float = 2.0
    """Side of the crop, relative to the larger side of the landmarks: 1 to 5."""
    crop_smoothing: float = 0.0
    """Width, in frames, of a Gaussian that smooths the crop's position and size over time: 0 (off) to 10."""
    encoding: Literal["jpeg", "png"] = "jpeg"
    """jpeg: small; png: lossless, about five times larger."""
    jpeg_quality: int = 95
    """Quality of the JPEG files: 1 to 100."""
    landmarks: Literal["annotations", FinderName] = "annotations"
    """annotations: from .pts files; otherwise found in the images by this detector."""
    check_landmarks: CheckName = "none"
    """dlib: compare annotations with what this detector sees, about 30 ms a frame. Frames in which it finds the face elsewhere,
    by more than 0.3 of the distance of the outer eye corners, are rejected; those in which it finds none are counted."""

    def __post_init__(self) -> None:
        if not 32 <= self.size <= 1024 or self.size % 16:
            raise UserError(f"size is {self.size}: a multiple of 16, from 32 to 1024")
        if not 1 <= self.crop_scale <= 5:
            raise UserError(f"crop_scale is {self.crop_scale}: between 1 and 5; 300VW's crops are 2.0 to 2.5")
        if not 0 <= self.crop_smoothing <= 10:
            raise UserError(f"crop_smoothing is {self.crop_smoothing}: between 0 and 10 frames")
        if not 1 <= self.jpeg_quality <= 100:
            raise UserError(f"jpeg_quality is {self.jpeg_quality}: between 1 and 100")
        if self.check_landmarks != "none" and self.landmarks != "annotations":
            raise UserError(
                f"check_landmarks is {self.check_landmarks!r} with landmarks {self.landmarks!r}: only annotations are checked"
            )
