"""All frames that a run trains on, decoded once and kept on its device: then a step's input is a gather, no decoding."""

import os
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facegan.config import Config
from facegan.data.batch import Batch
from facegan.data.face_data import FaceData
from facegan.data.sampling import sample, training_clips
from facegan.errors import UserError
from facegan.landmarks.points import mirror_permutation

_SHARE_OF_FREE_MEMORY = 0.5
"""The rest is for the networks and what they keep for the backward pass."""


def resident_batches(
    data: FaceData, config: Config, first_step: int, rank: int, world: int, device: torch.device
) -> Generator[Batch, None, None]:
    """The same batches as `triplets.batches`, without end, from frames that lie on the device already."""
    clips = training_clips(data, config)
    frames = ResidentFrames(data, np.concatenate(clips), device)
    step = first_step
    while True:
        triplets = sample(clips, config.seed, step, config.optim.batch, config.data.flip).part(rank, world)
        mirrored = torch.from_numpy(triplets.mirrored).to(device)
        source, target, third = (frames.places(rows) for rows in (triplets.source, triplets.target, triplets.third))
        yield Batch(
            frames.images(source, mirrored),
            frames.images(target, mirrored),
            *(frames.points(places, mirrored) for places in (source, target, third)),
        )
        step += 1


class ResidentFrames:
    """Images [frames, size, size, 3] uint8 and landmarks [frames, 68, 2] on a device."""

    def __init__(self, data: FaceData, rows: NDArray[np.int64], device: torch.device) -> None:
        needed, free = len(rows) * 3 * data.size**2, _free_bytes(device)
        if needed > _SHARE_OF_FREE_MEMORY * free:
            raise UserError(
                f"data.resident is True: {len(rows)} frames take {needed / 2**30:.1f} GiB decoded, and of the "
                f"{free / 2**30:.1f} GiB that are free on {device} half is for training; set it to False"
            )
        self._size, self._device = data.size, device
        self._place = np.full(len(data.frame), -1, np.int64)
        self._place[rows] = np.arange(len(rows))
        self._points = torch.from_numpy(data.points[rows]).to(device)
        self._permutation = torch.from_numpy(mirror_permutation()).to(device)
        self._images = torch.empty((len(rows), data.size, data.size, 3), dtype=torch.uint8, device=device)
        with ThreadPoolExecutor() as pool:
            for place, image in enumerate(pool.map(data.image, rows)):
                self._images[place] = torch.from_numpy(image)

    def places(self, rows: NDArray[np.int64]) -> Tensor:
        """Where rows of the data set lie here."""
        places = self._place[rows]
        assert (places >= 0).all(), "a row that is not kept"
        return torch.from_numpy(places).to(self._device, non_blocking=True)

    def images(self, places: Tensor, mirrored: Tensor) -> Tensor:
        """[n, 3, size, size] uint8, mirrored where asked."""
        images = self._images[places]
        return torch.where(mirrored[:, None, None, None], images.flip(2), images).permute(0, 3, 1, 2)

    def points(self, places: Tensor, mirrored: Tensor) -> Tensor:
        """[n, 68, 2]: the landmarks of those images."""
        points = self._points[places]
        flipped = points[:, self._permutation].clone()
        flipped[..., 0] = self._size - 1 - flipped[..., 0]
        return torch.where(mirrored[:, None, None], flipped, points)


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
