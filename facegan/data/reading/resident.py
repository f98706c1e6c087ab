"""All training frames, decoded once and kept on the device, so that the input of a step is a gather."""

import os
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facegan.config import Config
from facegan.data.reading.batch import Batch, Triplets
from facegan.data.reading.face_data import FaceData
from facegan.data.reading.sampling import sample, training_clips
from facegan.errors import UserError
from facegan.landmarks.points import mirror_permutation

_SHARE_OF_FREE_MEMORY = 0.5
"""The rest is for the networks and their activations."""


def resident_batches(
    data: FaceData, config: Config, first_step: int, rank: int, world: int, device: torch.device
) -> Generator[Batch, None, None]:
    """The same endless batches as `facegan.data.reading.sampling.batches`, gathered from frames on the device."""
    clips = training_clips(data, config)
    frames = ResidentFrames(data, np.concatenate(clips), device)
    step = first_step
    while True:
        triplets = sample(clips, config.seed, step, config.optim.batch, config.data.flip).part(rank, world)
        # One copy a step, from pinned memory, so that nothing waits for it.
        source, target, third, flips = frames.to_device(triplets)
        mirrored = flips.bool()
        yield Batch(
            frames.images(source, mirrored),
            frames.images(target, mirrored),
            *(frames.points(positions, mirrored) for positions in (source, target, third)),
        )
        step += 1


class ResidentFrames:
    """Images [frames, size, size, 3] uint8 and landmarks [frames, 68, 2] of some rows of a data set, on a device.

    Raises UserError if they do not fit in half of the free memory.
    """

    def __init__(self, data: FaceData, rows: NDArray[np.int64], device: torch.device) -> None:
        needed, free = len(rows) * 3 * data.size**2, _free_bytes(device)
        if needed > _SHARE_OF_FREE_MEMORY * free:
            raise UserError(
                f"data.resident is True: {len(rows)} frames take {needed / 2**30:.1f} GiB decoded, and of the "
                f"{free / 2**30:.1f} GiB that are free on {device} half is for training; set it to False"
            )
        self._size, self._device = data.size, device
        self._position = np.full(len(data.frame), -1, np.int64)
        self._position[rows] = np.arange(len(rows))
        self._points = torch.from_numpy(data.points[rows]).to(device)
        self._permutation = torch.from_numpy(mirror_permutation()).to(device)
        self._images = torch.empty((len(rows), data.size, data.size, 3), dtype=torch.uint8, device=device)
        with ThreadPoolExecutor() as pool:
            for position, image in enumerate(pool.map(data.image, rows)):
                self._images[position] = torch.from_numpy(image)

    def to_device(self, triplets: Triplets) -> Tensor:
        """[4, n]: the positions among these frames of sources, targets and third frames, and 1 where a sample is mirrored."""
        positions = self._position[np.stack([triplets.source, triplets.target, triplets.third])]
        assert (positions >= 0).all(), "a row that is not kept"
        sent = torch.from_numpy(np.concatenate([positions, triplets.mirrored[None]]))
        return (sent.pin_memory() if self._device.type == "cuda" else sent).to(self._device, non_blocking=True)

    def images(self, positions: Tensor, mirrored: Tensor) -> Tensor:
        """[n, 3, size, size] uint8: the images at positions [n], mirrored where `mirrored` [n] is True."""
        images = self._images[positions]
        return torch.where(mirrored[:, None, None, None], images.flip(2), images).permute(0, 3, 1, 2)

    def points(self, positions: Tensor, mirrored: Tensor) -> Tensor:
        """[n, 68, 2]: the landmarks of those images, in pixels."""
        points = self._points[positions]
        flipped = points[:, self._permutation].clone()
        flipped[..., 0] = self._size - 1 - flipped[..., 0]
        return torch.where(mirrored[:, None, None], flipped, points)


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
