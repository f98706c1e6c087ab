"""What the evaluators see in images, and a file of what they see in real frames, which is the same for every arm and seed."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegan.data.reading.face_data import FaceData
from facegan.errors import UserError
from facegan.files import replacing
from facegan.inference import Images
from facegan.landmarks.points import POINTS
from facegan.metrics.evaluators import Evaluators
from facegan.metrics.pairs import images_of


@dataclass(frozen=True, slots=True)
class Faces:
    """The landmarks found in n images, [n, 68, 2] in pixels, and embeddings [n, d] of the faces; NaN where no face is found.

    A face is embedded where it is found. Embedded where it is wanted, an image without a face would get the score of what
    happens to be there.
    """

    found: NDArray[np.float32]
    embeddings: NDArray[np.float64]

    def at(self, positions: NDArray[np.int64]) -> "Faces":
        """The faces of some of the images, by their positions [m]; a position may occur twice."""
        return Faces(self.found[positions], self.embeddings[positions])


def look_at(images: Images, evaluators: Evaluators) -> Faces:
    """Find and embed the face of each image [n, size, size, 3]."""
    if not len(images):
        return Faces(np.empty((0, POINTS, 2), np.float32), np.empty((0, 1)))
    found = evaluators.landmarks.find(images)
    return Faces(found, evaluators.identity.embed(images, found))


def look_at_each(groups: Sequence[Images], evaluators: Evaluators) -> list[Faces]:
    """The faces of each group of images [n, size, size, 3], found and embedded together, which fills the batches."""
    faces = look_at(np.concatenate(groups), evaluators)
    ends = np.cumsum([len(images) for images in groups])
    return [faces.at(np.arange(end - len(images), end)) for images, end in zip(groups, ends, strict=True)]


@dataclass(frozen=True, slots=True)
class RealFaces:
    """The faces of some rows [n] of a data set, in ascending order."""

    rows: NDArray[np.int64]
    faces: Faces

    def of(self, rows: NDArray[np.int64]) -> Faces:
        """The faces of some of these rows."""
        return self.faces.at(np.searchsorted(self.rows, rows))


def real_faces(data: FaceData, rows: NDArray[np.int64], evaluators: Evaluators, cache: Path | None) -> RealFaces:
    """The faces of some rows [m] of a data set, each looked at once, in any order and also with repetitions.

    They are read from the file `cache` if it exists, and written there otherwise. Raises UserError if it is damaged or of
    other rows.
    """
    unique = np.unique(rows)
    if cache is not None and cache.exists():
        return _read(cache, unique)
    faces = look_at(images_of(data, unique), evaluators)
    if cache is not None:
        with replacing(cache) as partial, partial.open("wb") as sink:
            np.savez(sink, allow_pickle=False, rows=unique, found=faces.found, embeddings=faces.embeddings)
    return RealFaces(unique, faces)


def _read(cache: Path, rows: NDArray[np.int64]) -> RealFaces:
    try:
        with np.load(cache, allow_pickle=False) as archive:
            stored, found, embeddings = (archive[name] for name in ("rows", "found", "embeddings"))
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{cache} is damaged ({error}); remove it, and it is made again") from None
    if not np.array_equal(stored, rows) or found.shape != (len(rows), POINTS, 2) or len(embeddings) != len(rows):
        raise UserError(f"{cache} belongs to other data; remove it, and it is made again")
    return RealFaces(stored, Faces(found, embeddings))
