"""A TensorFlow Lite network as an ONNX graph.

Images are [1, height, width, channels] in TensorFlow and [1, channels, height, width] in ONNX. Tensors of four axes are kept in
ONNX's order, all others are the same in both.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegan.live.graph import TO_ONNX, GraphBuilder
from facegan.live.tflite import Network, Operator

_TO_TENSORFLOW = [0, 2, 3, 1]

Custom = Callable[[GraphBuilder, Operator, list[str]], str]
"""Adds the nodes of a custom operator; takes the names of its inputs, and returns that of its output."""


def add_network(builder: GraphBuilder, network: Network, image: str, custom: Mapping[str, Custom]) -> list[str]:
    """Add a network that takes one image; returns the names of its outputs.

    Raises ValueError for an operator that is neither known nor in `custom`, and for options that TensorFlow Lite has and the
    networks here do not use.
    """
    values, constants = {network.inputs[0]: image}, dict(network.constants)
    for operator in network.operators:
        output = operator.outputs[0]
        if operator.kind == "dequantize":
            constants[output] = constants[operator.inputs[0]].astype(np.float32)
        elif operator.kind in custom:
            values[output] = custom[operator.kind](builder, operator, [values[i] for i in operator.inputs])
        else:
            values[output] = _add_operator(builder, network, operator, values, constants)
    return [values[output] for output in network.outputs]


def _add_operator(
    builder: GraphBuilder, network: Network, operator: Operator, values: dict[int, str], constants: dict[int, NDArray[Any]]
) -> str:
    inputs, shape = operator.inputs, network.shapes[operator.outputs[0]]
    match operator.kind:
        case "conv" | "depthwise":
            added = _convolution(builder, operator, values[inputs[0]], constants[inputs[1]], constants[inputs[2]])
        case "max_pool":
            side = operator.options["side"]
            added = builder.add("MaxPool", values[inputs[0]], kernel_shape=[side, side], **_steps(operator))
        case "add":
            added = builder.add("Add", values[inputs[0]], values[inputs[1]])
        case "multiply":
            added = builder.add("Mul", values[inputs[0]], builder.constant(constants[inputs[1]]))
        case "relu":
            added = builder.add("Relu", values[inputs[0]])
        case "prelu":
            slopes = constants[inputs[1]].reshape(-1, 1, 1)
            added = builder.add("PRelu", values[inputs[0]], builder.constant(slopes))
        case "pad":
            before, after = constants[inputs[1]][TO_ONNX].T
            added = builder.add("Pad", values[inputs[0]], builder.constant([*before, *after], np.int64))
        case "reshape":
            tensor = values[inputs[0]]
            if len(network.shapes[inputs[0]]) == 4:
                tensor = builder.add("Transpose", tensor, perm=_TO_TENSORFLOW)
            added = builder.reshape(tensor, *shape)
        case "concat":
            assert len(shape) == 3
            added = builder.add("Concat", *(values[i] for i in inputs), axis=1)
        case "strided_slice" if shape == network.shapes[inputs[0]]:
            added = values[inputs[0]]
        case _:
            raise ValueError(f"operator {operator.kind} is not known")
    return builder.add("Relu", added) if operator.options.get("relu") else added


def _convolution(builder: GraphBuilder, operator: Operator, tensor: str, kernel: NDArray[Any], bias: NDArray[Any]) -> str:
    """Kernels are [out, height, width, in] in TensorFlow, of depthwise convolutions [1, height, width, channels]."""
    depthwise = operator.kind == "depthwise"
    weights = kernel.transpose([3, 0, 1, 2] if depthwise else TO_ONNX)
    return builder.add(
        "Conv",
        tensor,
        builder.constant(weights),
        builder.constant(bias),
        kernel_shape=list(kernel.shape[1:3]),
        group=kernel.shape[3] if depthwise else 1,
        **_steps(operator),
    )


def _steps(operator: Operator) -> dict[str, Any]:
    """Stride and padding of a window. With stride 2, TensorFlow pads an even side at its end only."""
    stride, padding = operator.options["stride"], "VALID" if operator.options["valid"] else "SAME_UPPER"
    return {"strides": [stride, stride], "auto_pad": padding}
