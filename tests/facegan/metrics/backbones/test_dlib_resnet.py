"""dlib's embedding network in PyTorch against dlib, and files that are not its own."""

from pathlib import Path

import dlib
import numpy as np
import pytest
from numpy.typing import NDArray

from facegan.data.reading.face_data import FaceData
from facegan.errors import UserError
from facegan.landmarks.dlib_finder import model_file
from facegan.metrics.backbones.dlib_networks import DlibIdentity
from facegan.metrics.backbones.dlib_resnet import DIMENSIONS, SIDE, DlibResNet

FILE = Path(model_file("dlib_face_recognition_resnet_model_v1.dat"))


def faces(count: int) -> NDArray[np.uint8]:
    """Smooth random images with sharp squares, of all brightnesses."""
    rng = np.random.default_rng(3)
    coarse = rng.integers(0, 256, (count, 10, 10, 3), dtype=np.uint8)
    images = coarse.repeat(SIDE // 10, axis=1).repeat(SIDE // 10, axis=2)
    images[0], images[1] = 0, 255
    return images


def test_embeddings_equal_those_of_dlib() -> None:
    images = faces(19)
    expected = np.array(dlib.face_recognition_model_v1(str(FILE)).compute_face_descriptor(list(images[:6])))
    ours = DlibResNet(FILE).embed(images)
    assert ours.shape == (19, DIMENSIONS) and ours.dtype == np.float64
    assert ours[:6] == pytest.approx(expected, abs=1e-5)
    assert np.abs(expected[2] - expected[3]).max() > 0.01, "images differ by much more than the two networks"
    for some in (slice(5, None), slice(2, 3), [18, 4, 7, 0, 11]):
        assert (DlibResNet(FILE).embed(images[some]) == ours[some]).all(), "an embedding does not depend on the other faces"


def test_no_faces_have_no_embeddings(data: FaceData) -> None:
    assert DlibResNet(FILE).embed(np.empty((0, SIDE, SIDE, 3), np.uint8)).shape == (0, DIMENSIONS)
    images = np.zeros((2, 32, 32, 3), np.uint8)
    assert np.isnan(DlibIdentity().embed(images, np.full((2, 68, 2), np.nan, np.float32))).all()


def test_another_or_a_damaged_file_is_refused(tmp_path: Path) -> None:
    content = FILE.read_bytes()
    damaged = {
        "another": Path(model_file("mmod_human_face_detector.dat")).read_bytes(),
        "short": content[:-200],
        "empty": b"",
        "without a layer": content[:500] + content[40_000:],
    }
    for name, wrong in damaged.items():
        (tmp_path / name).write_bytes(wrong)
        with pytest.raises(UserError, match="is not dlib's face_recognition_resnet_model_v1, or damaged") as refused:
            DlibResNet(tmp_path / name)
        assert name in str(refused.value) and "\n" not in str(refused.value)
