"""Builds ONNX graphs node by node."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx

OPSET, IR_VERSION = 17, 8
TO_ONNX = [0, 3, 1, 2]
"""The axes of [batch, height, width, channels] in ONNX's order."""


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

    def split(self, tensor: str, axis: int, sizes: Sequence[int]) -> list[str]:
        """Parts of so many elements along an axis."""
        names = [f"split_{len(self._nodes)}_{number}" for number in range(len(sizes))]
        self._nodes.append(onnx.helper.make_node("Split", [tensor, self.constant(sizes, np.int64)], names, axis=axis))
        return names

    def image(self, side: int, low: float, high: float) -> str:
        """The input `image`, a square of RGBA bytes [1, side, side, 4], as ONNX's networks take it, black being `low`."""
        colours = self.part(self.add("Transpose", "image", perm=TO_ONNX), 1, 0, 3)
        scaled = self.add("Mul", self.add("Cast", colours, to=onnx.TensorProto.FLOAT), self.constant((high - low) / 255))
        return self.add("Add", scaled, self.constant(low))

    def build(self, inputs: Sequence[Any], outputs: dict[str, tuple[str, Sequence[int | None]]]) -> onnx.ModelProto:
        """The graph from inputs, made by `floats` or `image_bytes`, to outputs, (tensor, shape) by name.

        It has the nodes and constants that the outputs depend on.
        """
        last = [onnx.helper.make_node("Identity", [tensor], [name]) for name, (tensor, _) in outputs.items()]
        needed, nodes = set(outputs), list[Any]()
        for node in reversed([*self._nodes, *last]):
            if not needed.isdisjoint(node.output):
                needed.update(node.input)
                nodes.insert(0, node)
        constants = [constant for constant in self._constants if constant.name in needed]
        found = [floats(name, *shape) for name, (_, shape) in outputs.items()]
        graph = onnx.helper.make_graph(nodes, "graph", list(inputs), found, constants)
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        onnx.checker.check_model(model)
        return model


def floats(name: str, *shape: int | None) -> Any:
    """An input or output of single precision."""
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def image_bytes(side: int) -> Any:
    """The input that `GraphBuilder.image` reads."""
    return onnx.helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, [1, side, side, 4])
