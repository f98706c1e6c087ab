"""The reader of TensorFlow Lite files, on the two that are vendored."""

from pathlib import Path

import numpy as np
import pytest

import facegan.live
from facegan.live import tflite
from facegan.live.face_networks import DETECTOR, MESH
from facegan.live.tflite import read_network

VENDOR = Path(facegan.live.__file__).parent / "vendor"


def test_operators_constants_and_options_are_read() -> None:
    network = read_network(VENDOR / DETECTOR)
    kinds = [operator.kind for operator in network.operators]
    assert len(kinds) == 164 and kinds.count("conv") == 21 and kinds.count("depthwise") == 16
    first = next(operator for operator in network.operators if operator.kind == "conv")
    assert first.options == {"valid": 0, "stride": 2, "relu": 0} and network.shapes[first.inputs[0]] == (1, 128, 128, 3)
    pool = next(operator for operator in network.operators if operator.kind == "max_pool")
    assert (pool.options["stride"], pool.options["side"], pool.options["valid"]) == (2, 2, 0)
    kernels = [values for values in network.constants.values() if values.shape == (24, 5, 5, 3)]
    assert len(kernels) == 1 and kernels[0].dtype == np.float16 and 0.01 < np.abs(kernels[0]).mean() < 1
    assert [network.shapes[output] for output in network.outputs] == [(1, 896, 16), (1, 896, 1)]


def test_options_of_custom_operators_are_read() -> None:
    network = read_network(VENDOR / MESH)
    cuts = [operator.options for operator in network.operators if operator.kind == "Landmarks2TransformMatrix"]
    assert [len(options["subset_idxs"]) for options in cuts] == [80, 71, 71]
    assert [(options["left_rotation_idx"], options["right_rotation_idx"]) for options in cuts] == [
        (61, 291),
        (33, 133),
        (362, 263),
    ]


def test_what_is_not_known_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(tflite._KINDS, 54)
    with pytest.raises(ValueError, match=f"{MESH}: operator 54 of TensorFlow Lite"):
        read_network(VENDOR / MESH)
    monkeypatch.delitem(tflite._TYPES, 1)
    with pytest.raises(ValueError, match=r"has numbers of type 1"):
        read_network(VENDOR / DETECTOR)
