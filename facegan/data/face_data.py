"""A data set in memory: its images, landmarks and clips by row."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facegan.data.batch import Batch, Triplets
from facegan.data.local_copy import copy_of_folder
from facegan.data.manifest import parse_manifest
from facegan.data.shards import decode_image
from facegan.errors import UserError
from facegan.landmarks.points import mirror


class FaceData:
    """A data set, read from a local copy (see `facegan.data.local_copy`) that all processes of the machine map into memory.

    `size` is the side of the crops in pixels; `points` [rows, 68, 2] are landmarks in crop pixels; `frame` [rows] are frame
    numbers of the source; `boxes` [rows, 3] are left, top and side of the crops in its pixels. Raises UserError if the copy's
    manifest is damaged or of another number of rows.
    """

    def __init__(self, folder: Path) -> None:
        content = (folder / "manifest.json").read_bytes()
        cure = "remove this local copy, so that it is made again"
        self.manifest = parse_manifest(content, str(folder), cure)
        self._bytes = np.memmap(folder / "images.bin", np.uint8, "r")
        # Mapped too: at 128 pixels the points are a tenth of the data, which each worker would hold for itself.
        arrays = (_mapped(folder / f"{name}.npy") for name in ("offsets", "points", "frames", "boxes"))
        self._offsets, self.points, self.frame, self.boxes = arrays
        if self.manifest.rows != len(self.points):
            raise UserError(f"{folder} has {len(self.points)} rows, its manifest {self.manifest.rows}; {cure}")
        self.size = self.manifest.ingest.size
        self.synthetic = self.manifest.synthetic
        self._people = {clip.clip: clip.person for clip in self.manifest.clips}
        self._rows: dict[str, NDArray[np.int64]] = {}
        start = 0
        for clip in self.manifest.clips:
            self._rows[clip.clip] = np.arange(start, start + clip.rows)
            start += clip.rows

    def person_of(self, clip: str) -> str:
        """The person in a clip."""
        return self._people[clip]

    def clips(self, part: str, validation_fraction: float) -> dict[str, NDArray[np.int64]]:
        """Rows of each clip that has any, of the part 'train', 'validation' or 'test'.

        Validation takes `validation_fraction` of the training people, at least one if it is above 0, evenly spread over the
        order of their clips. All clips of a person are in one part.
        """
        names = [c.clip for c in self.manifest.clips if c.rows and (c.split == "test") == (part == "test")]
        if part != "test":
            people = list(dict.fromkeys(self._people[name] for name in names))
            count = round(len(people) * validation_fraction) if len(people) > 1 else 0
            count = max(count, 1) if validation_fraction and len(people) > 1 else count
            held_out = {people[int((i + 0.5) * len(people) / count)] for i in range(count)}
            names = [name for name in names if (self._people[name] in held_out) == (part == "validation")]
        return {name: self._rows[name] for name in names}

    def image(self, row: int) -> NDArray[np.uint8]:
        """The image of a row: [size, size, 3] uint8 RGB."""
        return decode_image(self.encoded(row))

    def encoded(self, row: int) -> NDArray[np.uint8]:
        """The image of a row as it is stored: the bytes of a JPEG or PNG file, [bytes] uint8."""
        return self._bytes[self._offsets[row] : self._offsets[row + 1]]

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


def _mapped(path: Path) -> NDArray[Any]:
    """A read-only array over a file, in memory that all processes of the machine share."""
    return np.asarray(np.load(path, mmap_mode="r"))


def open_data(folder: Path) -> FaceData:
    """The newest version of a data set in a folder, through the local copy. Raises UserError if there is none."""
    return FaceData(copy_of_folder(folder))
