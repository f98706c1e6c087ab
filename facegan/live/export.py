"""A generator as an ONNX file: from an image and target landmarks to the image that it draws."""

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facegan.config import Config
from facegan.files import write_bytes
from facegan.landmarks.maps import draw_maps
from facegan.nets.generator import Generator
from facegan.nets.norm import SLOPE, NormLeaky

Weights = Literal["fp16", "fp32"]
Floats = NDArray[np.float32]

GREY_LEVEL = 2 / 255
"""The step between two values of an 8-bit image, in the units of the networks, [-1, 1]."""
_SMALL = 1024
"""Tensors of fewer numbers are stored as they are."""
_OF_GENERATOR = "generator."
"""What a graph puts before the names of the generator's parameters."""


@dataclass(frozen=True, slots=True)
class NetworkFile:
    """An ONNX file that was written."""

    weights: Weights
    """How it stores its weights; it computes in single precision."""
    bytes: int
    difference: float
    """The largest difference between its drawings and PyTorch's, in grey levels."""


class DrawnFromPoints(nn.Module):
    """A generator that takes landmarks as points [1, 68, 2] in pixels and draws its maps itself."""

    def __init__(self, generator: Generator, config: Config) -> None:
        super().__init__()
        self.generator, self.config = with_plain_norms(generator), config

    def forward(self, image: Tensor, points: Tensor) -> Tensor:
        drawn: Tensor = self.generator(image, draw_maps(points, self.config.data.size, self.config.model))
        return drawn


def with_plain_norms(generator: Generator) -> Generator:
    """A copy in which instance norm and LeakyReLU are separate modules.

    `NormLeaky` has a backward pass of its own, which an exporter cannot trace.
    """
    plain = copy.deepcopy(generator)
    for name in [name for name, module in plain.named_modules() if isinstance(module, NormLeaky)]:
        plain.set_submodule(name, nn.Sequential(_InstanceNorm(), nn.LeakyReLU(SLOPE)))
    return plain


class _InstanceNorm(nn.Module):
    """Instance norm of any number of channels."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.instance_norm(x)


def network_graph(generator: Generator, config: Config) -> onnx.ModelProto:
    """The graph of a generator, with its weights in single precision.

    Its inputs are `image` [1, 3, size, size] in [-1, 1] and `points` [1, 68, 2] in pixels, its output is `drawn`, of the form
    of `image`. Tracing takes seconds; `with_weights` makes the graph of another generator of the same configuration.
    """
    size = config.data.size
    network = DrawnFromPoints(generator, config).eval()
    inputs = (torch.zeros(1, 3, size, size), torch.full((1, 68, 2), size / 2))
    # `draw_maps` keeps tensors of its first call for later ones, which must not be those of the exporter's tracing.
    network(*inputs)
    with _without_notices():
        program = torch.onnx.export(
            network, inputs, dynamo=True, input_names=["image", "points"], output_names=["drawn"], verbose=False
        )
    assert program is not None
    graph: onnx.ModelProto = program.model_proto
    # Where each node comes from in the source code, with paths of this machine.
    for node in graph.graph.node:
        del node.metadata_props[:]
    onnx.checker.check_model(graph)
    return graph


@contextmanager
def _without_notices() -> Iterator[None]:
    """Hide what PyTorch's exporter says of its own parts: torchvision is not installed, a class of its is deprecated."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        logger.setLevel(level)


def with_weights(graph: onnx.ModelProto, generator: Generator) -> onnx.ModelProto:
    """A copy of a graph with the weights of another generator of the same architecture."""
    other = onnx.ModelProto()
    other.CopyFrom(graph)
    weights = {_OF_GENERATOR + name: tensor.numpy() for name, tensor in generator.state_dict().items()}
    for tensor in other.graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(onnx.numpy_helper.from_array(weights.pop(tensor.name), tensor.name))
    assert not weights, f"the graph lacks {', '.join(weights)}"
    return other


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
