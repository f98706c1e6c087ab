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

    def clone(self) -> "Batch":
        """A batch in memory of its own."""
        return Batch(*(getattr(self, name).clone() for name in self.__slots__))

    def copy_from(self, other: "Batch") -> None:
        """Overwrite this batch by another of the same shapes."""
        for name in self.__slots__:
            getattr(self, name).copy_(getattr(other, name), non_blocking=True)


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


def to_signed(images: Tensor) -> Tensor:
    """uint8 images in [0, 255] as floats in [-1, 1]."""
    # A CPU trains in the contiguous layout; on a GPU the pixels may stay in the order that they came in, channels last.
    return (images if images.is_cuda else images.contiguous()) / 127.5 - 1
