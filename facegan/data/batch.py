"""The input of a training step. This module imports no image decoder, so that a generator can be served without one."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Images [batch, 3, size, size] uint8 RGB and landmarks [batch, 68, 2] float32 in pixels of one batch.

    The third points are of another frame of the same clip, of which no image is needed.
    """

    source: Tensor
    target: Tensor
    source_points: Tensor
    target_points: Tensor
    third_points: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device; copies from pinned memory are asynchronous."""
        return Batch(*(getattr(self, name).to(device, non_blocking=True) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Triplets:
    """Rows of three frames of one clip per sample, [batch] each, and whether the sample is mirrored, [batch]."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    third: NDArray[np.int64]
    mirrored: NDArray[np.bool_]

    def part(self, rank: int, world: int) -> "Triplets":
        """The samples of the global batch that rank `rank` of `world` ranks trains on."""
        mine = slice(rank, None, world)
        return Triplets(self.source[mine], self.target[mine], self.third[mine], self.mirrored[mine])
