"""The networks that find a face's landmarks in the browser: MediaPipe's face detector and face mesh, as ONNX graphs.

ONNX Runtime runs them as it runs the arms. MediaPipe's own runtime would need WebGL, code that is compiled from strings, which
the page's security policy forbids, and 4 MB more.
"""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from facegan.live.convert import add_network
from facegan.live.export import with_half_weights
from facegan.live.graph import GraphBuilder, image_bytes
from facegan.live.tflite import Network, Operator, read_network

DETECTOR, MESH = "face_detection_short_range.tflite", "face_landmark_with_attention.tflite"
"""Files in vendor/."""
DETECTOR_SIDE, MESH_SIDE = 128, 192
"""Sides of the images that the networks take, pixels."""
_MAP_SIDE = 48
"""Side of the feature map from which the mesh cuts out eyes and lips."""


def detector_graph(vendor: Path) -> onnx.ModelProto:
    """From `image`, RGBA bytes [1, 128, 128, 4], to `faces` [896, 16] and `scores` [896] in [0, 1].

    A face is the centre x and y, the width and the height of its box, and six points: right eye, left eye, nose tip, mouth,
    right and left ear. All are shares of the image's side.
    """
    builder, network = GraphBuilder(), read_network(vendor / DETECTOR)
    faces, scores = add_network(builder, network, builder.image(DETECTOR_SIDE, -1, 1), {})
    relative = builder.add("Div", builder.reshape(faces, 896, 16), builder.constant(DETECTOR_SIDE))
    placed = builder.add("Add", relative, builder.constant(_anchors()))
    likely = builder.add("Sigmoid", builder.reshape(scores, 896))
    return with_half_weights(
        builder.build([image_bytes(DETECTOR_SIDE)], {"faces": (placed, [896, 16]), "scores": (likely, [896])})
    )


def _anchors() -> NDArray[np.float32]:
    """[896, 16]: what is added to the detector's numbers. Two faces start at each cell of a grid of 16, six at each of 8."""
    centres = []
    for cells, faces in ((16, 2), (8, 6)):
        down, across = np.divmod(np.arange(cells**2), cells)
        centres.append(np.repeat(np.stack([across, down], axis=1) + 0.5, faces, axis=0) / cells)
    added = np.tile(np.concatenate(centres), (1, 8))
    added[:, 2:4] = 0  # width and height
    return added.astype(np.float32)


def mesh_graph(vendor: Path) -> onnx.ModelProto:
    """From `image`, RGBA bytes [1, 192, 192, 4] of an upright face, to `points` [468, 2] and `score` [1] in [0, 1].

    Points are in pixels, (0, 0) being the corner of the image. The network finds 468 points, then cuts lips and eyes out of an
    early feature map, and finds theirs again. Its points of the irises are left out: the 68 landmarks have none.
    """
    builder, network = GraphBuilder(), read_network(vendor / MESH)
    cut = {"Landmarks2TransformMatrix": _matrix, "TransformTensorBilinear": _cut_out, "TransformLandmarks": _moved}
    outputs = add_network(builder, network, builder.image(MESH_SIDE, 0, 1), cut)
    mesh, lips, left_eye, right_eye, _, _, flag = outputs
    points = builder.part(builder.reshape(mesh, 468, 3), 1, 0, 2)
    for refined, places in zip((lips, left_eye, right_eye), _refined_places(network), strict=True):
        indices = builder.constant(places.reshape(-1, 1), np.int64)
        points = builder.add("ScatterND", points, indices, builder.reshape(refined, len(places), 2))
    score = builder.add("Sigmoid", builder.reshape(flag, 1))
    return with_half_weights(builder.build([image_bytes(MESH_SIDE)], {"points": (points, [468, 2]), "score": (score, [1])}))


def _refined_places(network: Network) -> list[NDArray[np.int64]]:
    """The numbers of the lips', the left and the right eye's points: those around which the network cuts them out."""
    cuts = (operator for operator in network.operators if operator.kind == "Landmarks2TransformMatrix")
    return [np.array(operator.options["subset_idxs"], np.int64) for operator in cuts]


def _matrix(builder: GraphBuilder, operator: Operator, inputs: list[str]) -> str:
    """The matrix [1, 4, 4] from pixels of a cut-out to those of the map: a box around some points, along the line of two."""
    options = operator.options
    assert options["target_rotation_radians"] == 0 and options["output_width"] == options["output_height"]
    flat = builder.part(builder.reshape(inputs[0], 468, 3), 1, 0, 2)
    points, start, end = (
        builder.add("Gather", flat, builder.constant(places, np.int64), axis=0)
        for places in (options["subset_idxs"], [options["left_rotation_idx"]], [options["right_rotation_idx"]])
    )
    line = builder.add("Sub", end, start)
    across = builder.add("Div", line, builder.add("ReduceL2", line, axes=[1]))
    down = builder.add("MatMul", across, builder.constant([[0, 1], [-1, 0]]))
    axes = builder.add("Transpose", builder.add("Concat", across, down, axis=0), perm=[1, 0])
    local = builder.add("MatMul", points, axes)
    low, high = (builder.add(kind, local, axes=[0]) for kind in ("ReduceMin", "ReduceMax"))
    middle = builder.add("Mul", builder.add("Add", low, high), builder.constant(0.5))
    side = options["output_width"]
    scales = builder.constant([options["scale_x"] / side, options["scale_y"] / side])
    scale = builder.add("Mul", builder.add("Sub", high, low), scales)
    turn = builder.add("Mul", axes, scale)
    corner = builder.add("Sub", middle, builder.add("Mul", scale, builder.constant(side / 2)))
    offset = builder.add("MatMul", axes, builder.add("Transpose", corner, perm=[1, 0]))
    rows = builder.add("Concat", turn, builder.constant(np.zeros((2, 1))), offset, axis=1)
    whole = builder.add("Concat", rows, builder.constant([[0, 0, 1, 0], [0, 0, 0, 1]]), axis=0)
    return builder.reshape(whole, 1, 4, 4)


def _cut_out(builder: GraphBuilder, operator: Operator, inputs: list[str]) -> str:
    """A square of a feature map, by linear interpolation; zero outside of the map."""
    side = operator.options["output_width"]
    down, across = np.divmod(np.arange(side**2), side)
    pixels = builder.constant(np.stack([across, down], axis=1) + 0.5)
    scaled = builder.add("Mul", _apply(builder, inputs[1], pixels), builder.constant(2 / _MAP_SIDE))
    grid = builder.reshape(builder.add("Sub", scaled, builder.constant(1)), 1, side, side, 2)
    return builder.add("GridSample", inputs[0], grid, align_corners=0)


def _moved(builder: GraphBuilder, operator: Operator, inputs: list[str]) -> str:
    """Points [1, n, 2] after a matrix."""
    return _apply(builder, inputs[1], builder.reshape(inputs[0], -1, 2))


def _apply(builder: GraphBuilder, matrix: str, points: str) -> str:
    """Points [n, 2] after a matrix [1, 4, 4] that moves and turns them in the plane."""
    rows = builder.part(builder.reshape(matrix, 4, 4), 0, 0, 2)
    turn, offset = builder.part(rows, 1, 0, 2), builder.part(rows, 1, 3, 4)
    turned = builder.add("MatMul", points, builder.add("Transpose", turn, perm=[1, 0]))
    return builder.add("Add", turned, builder.add("Transpose", offset, perm=[1, 0]))
