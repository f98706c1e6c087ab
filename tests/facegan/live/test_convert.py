"""TensorFlow Lite's operators as ONNX's compute what TensorFlow defines, worked out by PyTorch."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from facegan.live.convert import add_network
from facegan.live.graph import GraphBuilder, image_bytes
from facegan.live.tflite import Network, Operator

SIDE = 6
Array = NDArray[np.float32]


def run(operator: Operator, shape: tuple[int, ...], constants: dict[int, Any]) -> tuple[Array, Array]:
    """A random image [1, 6, 6, 3] in [-1, 1] and what a network of one operator makes of it, both in ONNX's order."""
    shapes = {0: (1, SIDE, SIDE, 3), 9: shape, **{number: values.shape for number, values in constants.items()}}
    builder, network = GraphBuilder(), Network([operator], [0], [9], shapes, constants)
    image = builder.image(SIDE, -1, 1)
    (found,) = add_network(builder, network, image, {})
    graph = builder.build([image_bytes(SIDE)], {"image_in": (image, [1, 3, SIDE, SIDE]), "found": (found, [None] * len(shape))})
    bytes_in = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 4), np.uint8)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    before, after = session.run(["image_in", "found"], {"image": bytes_in})
    np.testing.assert_allclose(before, bytes_in[..., :3].transpose(0, 3, 1, 2) / 127.5 - 1, atol=1e-6)
    return before, after


def random(*shape: int) -> Array:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def test_a_convolution_pads_an_even_side_at_its_end_only() -> None:
    kernel, bias = random(4, 3, 3, 3), random(4)
    options = {"valid": 0, "stride": 2, "relu": 1}
    image, found = run(Operator("conv", [0, 1, 2], [9], options), (1, 3, 3, 4), {1: kernel, 2: bias})
    padded = functional.pad(torch.from_numpy(image), (0, 1, 0, 1))
    expected = functional.conv2d(
        padded, torch.from_numpy(kernel.transpose(0, 3, 1, 2).copy()), torch.from_numpy(bias), stride=2
    )
    assert (expected < 0).any()
    np.testing.assert_allclose(found, expected.relu().numpy(), atol=1e-5)


def test_a_depthwise_convolution_has_a_kernel_for_each_channel() -> None:
    kernel, bias = random(1, 3, 3, 3), random(3)
    options = {"valid": 1, "stride": 1, "relu": 0}
    image, found = run(Operator("depthwise", [0, 1, 2], [9], options), (1, 4, 4, 3), {1: kernel, 2: bias})
    weights = torch.from_numpy(kernel.transpose(3, 0, 1, 2).copy())
    expected = functional.conv2d(torch.from_numpy(image), weights, torch.from_numpy(bias), groups=3)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_slopes_pads_and_windows_are_along_the_axes_that_tensorflow_means() -> None:
    slopes, pads = random(1, 1, 3), np.array([[0, 0], [1, 0], [0, 2], [0, 1]], np.int32)
    image, found = run(Operator("pad", [0, 1], [9], {}), (1, 7, 8, 4), {1: pads})
    assert found.shape == (1, 4, 7, 8)
    np.testing.assert_array_equal(found[:, :3, 1:, :6], image)
    assert not found[:, 3].any() and not found[:, :, 0].any() and not found[..., 6:].any()
    image, found = run(Operator("prelu", [0, 1], [9], {}), (1, 6, 6, 3), {1: slopes})
    np.testing.assert_allclose(found, np.where(image > 0, image, image * slopes.reshape(3, 1, 1)), atol=1e-6)
    image, found = run(Operator("max_pool", [0], [9], {"valid": 0, "stride": 2, "side": 2, "relu": 0}), (1, 3, 3, 3), {})
    np.testing.assert_array_equal(found, functional.max_pool2d(torch.from_numpy(image), 2).numpy())


def test_a_reshape_takes_numbers_in_tensorflows_order() -> None:
    image, found = run(Operator("reshape", [0], [9], {}), (1, 36, 3), {})
    np.testing.assert_array_equal(found, image.transpose(0, 2, 3, 1).reshape(1, 36, 3))


def test_an_unknown_operator_is_refused() -> None:
    with pytest.raises(ValueError, match="operator Resampler is not known"):
        run(Operator("Resampler", [0], [9], {}), (1, 6, 6, 3), {})


def test_graphs_are_of_one_version() -> None:
    builder = GraphBuilder()
    graph = builder.build([image_bytes(SIDE)], {"found": (builder.image(SIDE, -1, 1), [1, 3, SIDE, SIDE])})
    assert (graph.ir_version, graph.opset_import[0].version) == (8, 17) and isinstance(graph, onnx.ModelProto)
