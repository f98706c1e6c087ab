"""The face networks find the landmarks of a rendered face."""

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

import facegan.live
from facegan.live.face_networks import DETECTOR_SIDE, MESH_SIDE, _matrix, detector_graph, mesh_graph
from facegan.live.graph import GraphBuilder, image_bytes
from facegan.live.tflite import Operator
from tests.facegan.live.camera_film import AT_REST, HEIGHT, WIDTH, frame_of

LIVE = Path(facegan.live.__file__).parent
PERSON = 3


def run(graph: onnx.ModelProto, image: Any) -> list[NDArray[np.float32]]:
    """A graph's outputs for a BGR image [side, side, 3]."""
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, {"image": cv2.cvtColor(image, cv2.COLOR_BGR2RGBA)[None]}))


def mesh_numbers() -> list[int]:
    """The page's table of 68 points of the mesh."""
    table = re.search(r"const MESH = \[(.*?)\];", (LIVE / "page" / "mesh68.js").read_text(), re.DOTALL)
    assert table is not None
    return [int(number) for number in re.findall(r"\d+(?=,)", re.sub(r"//.*", "", table[1]))]


def test_the_detector_finds_the_face_and_nothing_where_there_is_none() -> None:
    frame, landmarks = frame_of(AT_REST, PERSON)
    padded = cv2.copyMakeBorder(frame, (WIDTH - HEIGHT) // 2, (WIDTH - HEIGHT) // 2, 0, 0, cv2.BORDER_CONSTANT)
    graph = detector_graph(LIVE / "vendor")
    faces, scores = run(graph, cv2.resize(padded, (DETECTOR_SIDE, DETECTOR_SIDE), interpolation=cv2.INTER_AREA))
    face = faces[scores.argmax()] * WIDTH
    middles = [landmarks[eye].mean(axis=0) + np.array((0, (WIDTH - HEIGHT) / 2)) for eye in (slice(36, 42), slice(42, 48))]
    eyes = float(np.linalg.norm(middles[1] - middles[0]))
    assert scores.max() > 0.8 and scores.shape == (896,)
    np.testing.assert_allclose(face[4:8], np.concatenate(middles), atol=0.15 * eyes)
    assert 1.5 * eyes < face[2] < 3.5 * eyes
    assert run(graph, np.full((DETECTOR_SIDE, DETECTOR_SIDE, 3), 90, np.uint8))[1].max() < 0.3


def test_the_mesh_finds_the_68_landmarks() -> None:
    frame, landmarks = frame_of(AT_REST, PERSON)
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    (x, y), side = (low + high) / 2, int(1.6 * (high - low).max())
    left, top = int(x - side / 2), int(y - side / 2)
    square = cv2.resize(frame[top : top + side, left : left + side], (MESH_SIDE, MESH_SIDE), interpolation=cv2.INTER_AREA)
    points, score = run(mesh_graph(LIVE / "vendor"), square)
    assert points.shape == (468, 2) and score[0] > 0.9
    numbers = mesh_numbers()
    assert len(numbers) == len(set(numbers)) == 68
    found = points[numbers] * side / MESH_SIDE + (left, top) - 0.5
    errors = np.linalg.norm(found - landmarks, axis=1) / np.linalg.norm(landmarks[45] - landmarks[36])
    parts = {"jaw": slice(17), "brows": slice(17, 27), "nose": slice(27, 36), "eyes": slice(36, 48), "lips": slice(48, 68)}
    means = {name: errors[part].mean() for name, part in parts.items()}
    assert means["jaw"] < 0.2 and means["brows"] < 0.12 and max(means["nose"], means["eyes"], means["lips"]) < 0.08, means


@pytest.mark.parametrize("degrees", [0, 25])
def test_parts_are_cut_out_along_the_line_of_two_points(degrees: float) -> None:
    """The matrix maps the cut-out's middle to that of the box, and its sides to 1.5 times the box's, turned with it."""
    turn = np.radians(degrees)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    mesh = np.zeros((468, 3), np.float32)
    mesh[:4, :2] = np.array([[-8, 0], [8, 0], [0, -3], [2, 5]]) @ axes.T + (20, 30)
    options = {
        "left_rotation_idx": 0, "right_rotation_idx": 1, "subset_idxs": [0, 1, 2, 3], "target_rotation_radians": 0.0,
        "output_width": 16, "output_height": 16, "scale_x": 1.5, "scale_y": 1.5,
    }  # fmt: skip
    builder = GraphBuilder()
    matrix = _matrix(builder, Operator("", [], [], options), [builder.reshape(builder.constant(mesh), 1, 468, 3)])
    (found,) = run(builder.build([image_bytes(4)], {"matrix": (matrix, [1, 4, 4])}), np.zeros((4, 4, 3), np.uint8))
    np.testing.assert_allclose(found[0] @ (8, 8, 0, 1), [*(axes @ (0, 1) + (20, 30)), 0, 1], atol=1e-4)
    np.testing.assert_allclose(found[0, :2, :2], axes * (1.5 * 16 / 16, 1.5 * 8 / 16), atol=1e-5)
