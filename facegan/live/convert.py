"""A TensorFlow Lite network as an ONNX graph.

Images are [1, height, width, channels] in TensorFlow and [1, channels, height, width] in ONNX. Tensors of four axes are kept in
ONNX's order, all others are the same in both.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from facegan.live.tflite import Network, Operator

OPSET, IR_VERSION = 17, 8
_TO_TENSORFLOW, _TO_ONNX = [0, 2, 3, 1], [0, 3, 1, 2]


class GraphBuilder:
    """Collects the nodes and constants of an ONNX graph."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; returns its name."""
        name = f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(onnx.helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, values: Any, kind: Any = np.float32) -> str:
        """Add a constant; returns its name."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(values, kind), name))
        return name

    def reshape(self, tensor: str, *shape: int) -> str:
        return self.add("Reshape", tensor, self.constant(shape, np.int64))

    def part(self, tensor: str, axis: int, start: int, stop: int) -> str:
        """Elements `start` to `stop` (excluded) along an axis."""
        start_stop_axis = (self.constant([value], np.int64) for value in (start, stop, axis))
        return self.add("Slice", tensor, *start_stop_axis)

    def image(self, side: int, low: float, high: float) -> str:
        """The input `image`, a square of RGBA bytes [1, side, side, 4], as ONNX's networks take it, black being `low`."""
        colours = self.part(self.add("Cast", "image", to=onnx.TensorProto.FLOAT), 3, 0, 3)
        scaled = self.add("Mul", colours, self.constant((high - low) / 255))
        return self.add("Transpose", self.add("Add", scaled, self.constant(low)), perm=_TO_ONNX)

    def build(self, side: int, outputs: dict[str, tuple[str, Sequence[int | None]]]) -> onnx.ModelProto:
        """The graph from `image` to outputs, which are (tensor, shape) by name."""
        infos = []
        for name, (tensor, shape) in outputs.items():
            self._nodes.append(onnx.helper.make_node("Identity", [tensor], [name]))
            infos.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
        image = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, [1, side, side, 4])
        graph = onnx.helper.make_graph(self._nodes, "face", [image], infos, self._constants)
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        onnx.checker.check_model(model)
        return model


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
            before, after = constants[inputs[1]][_TO_ONNX].T
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
    weights = kernel.transpose([3, 0, 1, 2] if depthwise else _TO_ONNX)
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
