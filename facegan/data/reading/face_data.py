"""A data set in memory: its images, landmarks and clips by row."""

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facegan.cache import cache_folder, cache_limit
from facegan.data.ingest.shards import decode_image
from facegan.data.reading.batch import Batch, Triplets
from facegan.data.reading.clip_cache import ClipCache
from facegan.data.reading.clip_files import Fetch, checked_file
from facegan.data.reading.fetched_frames import FetchedFrames
from facegan.data.reading.local_copy import COPIED_MANIFEST, CopiedFrames, find_copy, local_copy, read_newest
from facegan.data.versions.manifest import Manifest, manifest_hash, read_manifest, repair_command
from facegan.errors import UserError
from facegan.landmarks.points import mirror


class FaceData:
    """A data set, read from `frames`: a local copy of all of it, or clips that are fetched when they are needed.

    `size` is the side of the crops in pixels; `points` [rows, 68, 2] are landmarks in crop pixels; `frame` [rows] are frame
    numbers of the source; `boxes` [rows, 3] are left, top and side of the crops in its pixels.
    """

    def __init__(self, manifest: Manifest, frames: CopiedFrames | FetchedFrames) -> None:
        self.manifest, self.frames = manifest, frames
        self.points, self.frame, self.boxes = frames.points, frames.frame, frames.boxes
        self.size = self.manifest.ingest.size
        self.synthetic = self.manifest.synthetic
        clips = manifest.clips
        self._people = dict(zip(clips.texts("clip"), clips.texts("person"), strict=True))

    @classmethod
    def of_copy(cls, folder: Path) -> "FaceData":
        """The data in a local copy. Raises UserError if the copy's manifest is damaged, or of another number of rows."""
        cure = "remove this local copy, so that it is made again"
        manifest = read_manifest(lambda key: (folder / key).read_bytes(), COPIED_MANIFEST, str(folder), cure)
        frames = CopiedFrames(folder)
        if manifest.rows != len(frames.points):
            raise UserError(f"{folder} has {len(frames.points)} rows, its manifest {manifest.rows}; {cure}")
        return cls(manifest, frames)

    def person_of(self, clip: str) -> str:
        """The person in a clip."""
        return self._people[clip]

    def clips(self, part: str, validation_fraction: float) -> dict[str, NDArray[np.int64]]:
        """Rows of each clip that has any, of the part 'train', 'validation' or 'test'.

        Validation takes `validation_fraction` of the training people, at least one if it is above 0, evenly spread over the
        order of their clips. All clips of a person are in one part.
        """
        rows, splits = self.manifest.clips.numbers("rows"), self.manifest.clips.texts("split")
        end = np.cumsum(rows)
        spans = {
            name: (stop - count, stop)
            for name, split, count, stop in zip(self._people, splits, rows, end, strict=True)
            if count and (split == "test") == (part == "test")
        }
        names = list(spans)
        if part != "test":
            people = list(dict.fromkeys(self._people[name] for name in names))
            count = round(len(people) * validation_fraction) if len(people) > 1 else 0
            count = max(count, 1) if validation_fraction and len(people) > 1 else count
            held_out = {people[int((i + 0.5) * len(people) / count)] for i in range(count)}
            names = [name for name in names if (self._people[name] in held_out) == (part == "validation")]
        return {name: np.arange(*spans[name]) for name in names}

    def image(self, row: int) -> NDArray[np.uint8]:
        """The image of a row: [size, size, 3] uint8 RGB. Raises UserError if its file was damaged on this machine."""
        content = self.encoded(row)
        try:
            return decode_image(content)
        except ValueError as damage:
            place = cache_folder() / "data"
            raise UserError(
                f"an image in {place} is damaged ({damage}): remove that folder, and the data are copied again"
            ) from None

    def encoded(self, row: int) -> NDArray[np.uint8]:
        """The image of a row as it is stored: the bytes of a JPEG or PNG file, [bytes] uint8."""
        return self.frames.encoded(row)

    def batch(self, triplets: Triplets) -> Batch:
        """The batch of some triplets, decoded and mirrored. Third frames need no image."""
        flips = triplets.mirrored
        return Batch(
            self._images(triplets.source, flips),
            self._images(triplets.target, flips),
            *(self.points_of(rows, flips) for rows in (triplets.source, triplets.target, triplets.third)),
        )

    def _images(self, rows: NDArray[np.int64], mirrored: NDArray[np.bool_]) -> Tensor:
        images = np.empty((len(rows), self.size, self.size, 3), np.uint8)
        for position, (row, flip) in enumerate(zip(rows, mirrored, strict=True)):
            if flip:
                cv2.flip(self.image(row), 1, dst=images[position])  # flipping by NumPy takes as long as decoding
            else:
                images[position] = self.image(row)
        # Only the strides change here; the pixels are reordered on the device, where that costs nothing.
        return torch.from_numpy(images).permute(0, 3, 1, 2)

    def points_of(self, rows: NDArray[np.int64], mirrored: NDArray[np.bool_]) -> Tensor:
        """Landmarks [n, 68, 2] in pixels of rows [n], mirrored where `mirrored` [n] is True."""
        points = self.points[rows]
        points[mirrored] = mirror(points[mirrored], self.size)
        return torch.from_numpy(points)


def open_version(manifest: Manifest, fetch: Fetch, *, downloads: bool) -> FaceData:
    """A version of a data set, from the machine's copy; without one, as `fits` says, from a new copy or clip by clip.

    Raises UserError if a clip's file is missing or is not what was ingested.
    """
    if find_copy(manifest_hash(manifest), cache_folder()) or fits(manifest, downloads=downloads):
        return FaceData.of_copy(local_copy(manifest, cache_folder(), fetch))
    limit = cache_limit()
    assert limit is not None, "without a limit everything fits"
    return FaceData(manifest, FetchedFrames(manifest, ClipCache(limit, fetch)))


def fits(manifest: Manifest, *, downloads: bool) -> bool:
    """Whether a copy of the data set, and the downloads that it is made from, stay below FACEGAN_CACHE_GB."""
    limit = cache_limit()
    return limit is None or manifest.clips.total("file_bytes") * (2 if downloads else 1) <= limit


def open_data(folder: Path) -> FaceData:
    """The newest version of a data set in a folder. Raises UserError if there is none."""
    manifest = read_newest(folder)
    cure = repair_command(str(folder), manifest.sources)
    return open_version(manifest, lambda clip, _: checked_file(folder, clip, cure), downloads=False)
