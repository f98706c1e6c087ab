"""A generator as an ONNX graph: from an image and landmarks, as points, to the image that it draws.

The graph is built node by node, in milliseconds; PyTorch's exporter takes seconds. Where several forms compute the same, it has
the one that ONNX Runtime computes fastest in the browser.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from torch import nn

from facegan.config import Config
from facegan.landmarks.maps import LEAST_EXPONENT, dots_of_segment, segments
from facegan.landmarks.points import POINTS
from facegan.live.graph import GraphBuilder, floats
from facegan.nets.generator import Generator
from facegan.nets.norm import SLOPE


def network_graph(generator: Generator, config: Config) -> onnx.ModelProto:
    """The graph of a generator, with its weights in single precision.

    Its inputs are `image` [1, 3, size, size] in [-1, 1] and `points` [1, 68, 2] in pixels, its output is `drawn`, of the form
    of `image`.
    """
    builder, size = GraphBuilder(), config.data.size
    draw = _point_maps if config.model.maps == "points" else _part_maps
    maps = builder.reshape(draw(builder, size, config.model.map_sigma), 1, -1, size, size)
    x = _leaky(builder, _normed(builder, generator.first.conv, builder.add("Concat", "image", maps, axis=1)))
    skips = []
    for block in generator.down:
        skips.append(x)
        x = _leaky(builder, _normed(builder, next(block.children()), x))
    first, _, second, _ = generator.bottleneck.body
    x = builder.add("Add", x, _normed(builder, second, _leaky(builder, _normed(builder, first, x))))
    for block in generator.up:
        x = builder.add("Add", _leaky(builder, _normed(builder, next(block.children()), x)), skips.pop())
    x = _last(builder, generator.last, x)
    drawn = builder.add("Tanh", x) if generator.head == "colour" else _masked(builder, x)
    shape = (1, 3, size, size)
    return builder.build([floats("image", *shape), floats("points", 1, POINTS, 2)], {"drawn": (drawn, shape)})


def _normed(builder: GraphBuilder, layer: nn.Module, x: str) -> str:
    """A convolution and the instance norm after it."""
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer.bias is not None
    kind, options = "Conv", {"strides": layer.stride, "pads": [*layer.padding, *layer.padding]}
    if isinstance(layer, nn.ConvTranspose2d):
        kind, options = "ConvTranspose", options | {"output_padding": layer.output_padding}
    x = builder.add(kind, x, builder.constant(layer.weight.detach()), builder.constant(layer.bias.detach()), **options)
    channels = layer.out_channels
    return builder.add("InstanceNormalization", x, builder.constant(np.ones(channels)), builder.constant(np.zeros(channels)))


def _leaky(builder: GraphBuilder, x: str) -> str:
    # In the browser, ONNX Runtime computes PRelu ten times as fast as LeakyRelu.
    return builder.add("PRelu", x, builder.constant([[[SLOPE]]]))


def _last(builder: GraphBuilder, layer: nn.Conv2d, x: str) -> str:
    """A convolution with stride 1, as the transposed one with the mirrored kernel.

    For a convolution, ONNX Runtime copies the windows of all its input channels. For a transposed one it adds up the windows of
    the output channels, which are fewer here.
    """
    assert layer.bias is not None
    kernel, bias = builder.constant(layer.weight.detach().transpose(0, 1).flip(2, 3)), builder.constant(layer.bias.detach())
    return builder.add("ConvTranspose", x, kernel, bias, pads=[*layer.padding, *layer.padding])


def _masked(builder: GraphBuilder, x: str) -> str:
    """The generated colours, and the image where the mask keeps it."""
    colour, mask = builder.add("Tanh", builder.part(x, 1, 0, 3)), builder.add("Sigmoid", builder.part(x, 1, 3, 4))
    kept = builder.add("Mul", builder.add("Sub", "image", colour), mask)
    return builder.add("Add", colour, kept)


def _point_maps(builder: GraphBuilder, size: int, sigma: float) -> str:
    """As `draw_points`: [68, size, size]."""
    x, y = (builder.reshape(builder.part("points", 2, axis, axis + 1), POINTS, 1, 1) for axis in (0, 1))
    grid = np.arange(size)
    return builder.add("Mul", _gaussian(builder, x, grid, sigma), _gaussian(builder, y, grid[:, None], sigma))


def _part_maps(builder: GraphBuilder, size: int, sigma: float) -> str:
    """As `draw_parts`: [8, size, size]."""
    starts, ends, counts = segments()
    dots, grid = dots_of_segment(size, sigma), np.arange(size)
    start, end = (
        builder.reshape(builder.add("Gather", "points", builder.constant(places, np.int64), axis=1), len(places), 1, 2)
        for places in (starts, ends)
    )
    span = builder.add("Sub", end, start)
    centres = builder.add("Add", start, builder.add("Mul", builder.constant(np.arange(dots)[:, None] / dots), span))
    length = builder.add(
        "Mul", builder.add("ReduceL2", span, axes=[2]), builder.constant(np.full((dots, 1), -2 / (dots * sigma)))
    )
    x, y = (builder.reshape(builder.part(centres, 2, axis, axis + 1), *shape) for axis, shape in ((0, (-1, 1)), (1, (1, -1))))
    across = builder.add("Mul", _gaussian(builder, x, grid, sigma), builder.reshape(length, -1, 1))
    of_parts = [dots * count for count in counts]
    rows = builder.split(_gaussian(builder, y, grid[:, None], sigma), 1, of_parts)
    columns = builder.split(across, 0, of_parts)
    lines = [builder.reshape(builder.add("MatMul", *pair), 1, size, size) for pair in zip(rows, columns, strict=True)]
    return builder.add("Sub", builder.constant(1), builder.add("Exp", builder.add("Concat", *lines, axis=0)))


def _gaussian(builder: GraphBuilder, centres: str, grid: NDArray[np.int64], sigma: float) -> str:
    """exp(-d^2 / (2 sigma^2)) of the distance d of centres from the pixels of a grid; of no less than `LEAST_EXPONENT`."""
    away = builder.add("Sub", centres, builder.constant(grid))
    exponent = builder.add("Mul", builder.add("Mul", away, away), builder.constant(-0.5 / sigma**2))
    return builder.add("Exp", builder.add("Max", exponent, builder.constant(LEAST_EXPONENT)))
