"""The crop of a face, made as the training images of a study are: a generator knows faces in no other place and size."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegan.data.ingest.crop import FLAT, TOO_LARGE, Crop, Square, crop_face, fits, is_flat
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.errors import UserError
from facegan.landmarks.boxes import bgr_to_rgb
from facegan.records import BadRecord, from_json, read_record


def ingest_of_copy(manifest: Path) -> IngestConfig | None:
    """How a data set was ingested, by the copy of its manifest in a study's folder; None if there is no copy.

    The rest of the manifest is not read: it needs the table of clips, which a study does not keep. Raises UserError if the copy
    is damaged.
    """
    cure = "make it again with jobs/report.py"
    found = read_record(dict[str, Any], manifest, cure)
    if found is None:
        return None
    try:
        return from_json(IngestConfig, found.get("ingest"), "ingest")
    except (BadRecord, UserError) as reason:
        raise UserError(f"{manifest} is damaged or of another version: {reason}; {cure}") from None


def cropped(image: NDArray[np.uint8], points: NDArray[np.float32], square: Square, size: int) -> Crop | str:
    """The square of a BGR image as `size` pixels of RGB, with the points [68, 2] in it; or why it cannot be cut out."""
    if not fits(square, image):
        return TOO_LARGE
    crop = crop_face(image, points, square, size)
    return FLAT if is_flat(crop.image) else Crop(bgr_to_rgb(crop.image), crop.points, crop.box)
