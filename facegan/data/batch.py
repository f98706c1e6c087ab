"""What a step is given; apart from where it comes from, so that a generator can be served without a decoder of images."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """What crosses to the device: images [batch, 3, size, size] uint8 RGB and points [batch, 68, 2] float32."""

    source: Tensor
    target: Tensor
    source_points: Tensor
    target_points: Tensor
    third_points: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device; the copy of pinned memory does not block."""
        return Batch(*(getattr(self, name).to(device, non_blocking=True) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Triplets:
    """Rows of three frames of one clip each, [batch], and whether the sample is mirrored, [batch]."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    third: NDArray[np.int64]
    mirrored: NDArray[np.bool_]

    def part(self, rank: int, world: int) -> "Triplets":
        """The slice of the global batch that a rank trains on."""
        mine = slice(rank, None, world)
        return Triplets(self.source[mine], self.target[mine], self.third[mine], self.mirrored[mine])
