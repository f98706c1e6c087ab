"""References for jobs/bench/input.py: the 2019 loader, and plain torch data sets over our Parquet files."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

Sample = tuple[Any, ...]


class Dataset2019(Dataset[Sample]):
    """A sample as in 2019: two JPEG files of three frames, and all three landmark sets drawn on the CPU in float64."""

    def __init__(self, folder: Path, clips: list[list[int]], points: NDArray[np.float32], size: int, samples: int) -> None:
        self.folder, self.clips, self.points, self.size, self.samples = folder, clips, points, size, samples
        self.y, self.x = np.mgrid[:size, :size].astype(np.float64)

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> Sample:
        source, target, third = choose(self.clips, index)
        images = [self._image(row) for row in (source, target)]
        maps = [self._maps(self.points[row]) for row in (source, target, third)]
        return (*images, *maps)

    def _image(self, row: int) -> NDArray[np.float32]:
        image = cv2.imread(str(self.folder / f"{row}.jpg"), cv2.IMREAD_COLOR_RGB)
        assert image is not None
        return (image.transpose(2, 0, 1) / 127.5 - 1).astype(np.float32)

    def _maps(self, points: NDArray[np.float32]) -> NDArray[np.float64]:
        maps = np.empty((len(points), self.size, self.size))
        for one, (x, y) in zip(maps, points.astype(np.float64), strict=True):
            np.exp(-((self.x - x) ** 2 + (self.y - y) ** 2) / 2, out=one)
        return maps


class ParquetDataset(Dataset[Sample]):
    """Our files as a plain torch data set reads them: uint8 images and points; an image's row group when it is asked for."""

    def __init__(self, files: list[Path], clips: list[list[int]], points: NDArray[np.float32], samples: int) -> None:
        self.files, self.clips, self.points, self.samples = files, clips, points, samples
        self.opened: list[pq.ParquetFile] = []
        self.group_of: list[tuple[int, int, int]] = []

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> Sample:
        source, target, third = choose(self.clips, index)
        return (*(self._image(row) for row in (source, target)), *(self.points[row] for row in (source, target, third)))

    def _image(self, row: int) -> torch.Tensor:
        if not self.opened:  # in the process that reads
            self._open()
        file, group, place = self.group_of[row]
        content = self.opened[file].read_row_group(group, columns=["image"]).column("image")[place].as_py()
        return decoded(content)

    def _open(self) -> None:
        self.opened = [pq.ParquetFile(file, memory_map=True) for file in self.files]
        for number, file in enumerate(self.opened):
            for group in range(file.num_row_groups):
                self.group_of += [(number, group, place) for place in range(file.metadata.row_group(group).num_rows)]


class TableDataset(ParquetDataset):
    """The same with all rows read into each process's memory at its start."""

    def _open(self) -> None:
        self.opened = [None]
        self.images = [value for file in self.files for value in pq.read_table(file, columns=["image"]).column("image")]

    def _image(self, row: int) -> torch.Tensor:
        if not self.opened:
            self._open()
        return decoded(self.images[row].as_py())


def decoded(content: bytes) -> torch.Tensor:
    """[3, size, size] uint8 RGB."""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert image is not None
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))


def choose(clips: list[list[int]], index: int) -> list[int]:
    """Three frames of a clip."""
    rng = np.random.default_rng(index)
    return [int(row) for row in rng.choice(clips[int(rng.integers(len(clips)))], 3, replace=False)]
