"""ONNX files: their weights in half precision where that is enough, and how far their drawings are from PyTorch's."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from facegan.config import Config
from facegan.files import write_bytes
from facegan.landmarks.maps import draw_maps
from facegan.nets.generator import Generator

Weights = Literal["fp16", "fp32"]
Floats = NDArray[np.float32]

GREY_LEVEL = 2 / 255
"""The step between two values of an 8-bit image, in the units of the networks, [-1, 1]."""
_SMALL = 1024
"""Tensors of fewer numbers are stored as they are."""


@dataclass(frozen=True, slots=True)
class NetworkFile:
    """An ONNX file that was written."""

    weights: Weights
    """How it stores its weights; it computes in single precision."""
    bytes: int
    difference: float
    """The largest difference between its drawings and PyTorch's, in grey levels."""


def with_half_weights(graph: onnx.ModelProto) -> onnx.ModelProto:
    """A copy that stores its large weights in half precision and converts them when it is loaded."""
    half = onnx.ModelProto()
    half.CopyFrom(graph)
    casts = []
    for tensor in half.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _SMALL:
            continue
        name, stored = tensor.name, f"{tensor.name}.fp16"
        # What is beyond half precision becomes infinite, which the comparison with PyTorch finds.
        with np.errstate(over="ignore"):
            tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(onnx.helper.make_node("Cast", [stored], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *half.graph.node]
    del half.graph.node[:]
    half.graph.node.extend(nodes)
    return half


def write_network(graph: onnx.ModelProto, path: Path, images: Floats, points: Floats, expected: Floats) -> NetworkFile:
    """Write a graph to a file, with its weights in half precision if this changes no pixel by more than one grey level.

    That is measured on `images` [n, 3, size, size] in [-1, 1] and `points` [n, 68, 2]; `expected` is what PyTorch draws of
    them.
    """
    weights: Weights = "fp16"
    stored = with_half_weights(graph)
    difference = largest_difference(draw(stored, images, points), expected)
    if not difference <= 1:
        stored, weights = graph, "fp32"
        difference = largest_difference(draw(stored, images, points), expected)
    content = stored.SerializeToString()
    write_bytes(path, content)
    return NetworkFile(weights, len(content), difference)


def draw(graph: onnx.ModelProto, images: Floats, points: Floats) -> Floats:
    """What ONNX Runtime draws of images [n, 3, size, size] in [-1, 1] and points [n, 68, 2], one face at a time."""
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    faces = zip(np.split(images, len(images)), np.split(points, len(points)), strict=True)
    return np.concatenate([session.run(["drawn"], {"image": image, "points": face})[0] for image, face in faces])


def draw_in_torch(generator: Generator, config: Config, images: Floats, points: Floats) -> Floats:
    """What PyTorch draws of images [n, 3, size, size] in [-1, 1] and points [n, 68, 2]."""
    with torch.no_grad():
        maps = draw_maps(torch.from_numpy(points), config.data.size, config.model)
        return np.asarray(generator(torch.from_numpy(images), maps).numpy(), np.float32)


def largest_difference(drawn: Floats, expected: Floats) -> float:
    """Between two sets of images in [-1, 1], in grey levels; infinite where a drawing is not finite."""
    difference = float(np.abs(drawn - expected).max()) / GREY_LEVEL
    return difference if np.isfinite(difference) else float("inf")
