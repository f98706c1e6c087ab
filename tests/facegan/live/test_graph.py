"""ONNX graphs that are built node by node."""

import numpy as np
import onnx
import onnxruntime

from facegan.live.graph import GraphBuilder, floats


def test_a_graph_has_only_what_its_outputs_depend_on() -> None:
    builder = GraphBuilder()
    first, second = builder.split("x", 0, [1, 2])
    builder.add("Mul", first, builder.constant(7))
    graph = builder.build([floats("x", 3)], {"y": (builder.add("Add", second, builder.constant(5)), [2])})
    assert [node.op_type for node in graph.graph.node] == ["Split", "Add", "Identity"]
    assert [onnx.numpy_helper.to_array(constant).tolist() for constant in graph.graph.initializer] == [[1, 2], [5]]
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(session.run(["y"], {"x": np.array([1, 2, 3], np.float32)})[0], [7, 8])
