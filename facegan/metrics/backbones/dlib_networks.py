"""The default evaluators, whose files come with pip packages: dlib's face embedding and its 68-point landmark predictor.

The embedding is a ResNet (He et al. 2016) trained by Davis King; its file is in the public domain.
"""

from pathlib import Path

import cv2
import dlib
import numpy as np
from numpy.typing import NDArray

from facegan.files import file_sha256
from facegan.inference import Images
from facegan.landmarks.dlib_finder import model_file
from facegan.landmarks.points import POINTS
from facegan.metrics.backbones.dlib_resnet import DIMENSIONS, SIDE, DlibResNet
from facegan.metrics.image_quality import checked

_SIDE = 256
"""Side to which images are resized, pixels: dlib's networks were trained on faces of 80 pixels and more."""
_CHIP_PADDING = 0.25
"""Margin of the aligned face that the embedding takes."""


class DlibIdentity:
    """Embeds faces whose landmarks are known; a small distance between embeddings means the same person."""

    name = "dlib face_recognition_resnet_model_v1"

    def __init__(self) -> None:
        file = model_file("dlib_face_recognition_resnet_model_v1.dat")
        self.sha256 = file_sha256(Path(file))
        self._network = DlibResNet(Path(file))

    def embed(self, images: Images, points: NDArray[np.float32]) -> NDArray[np.float64]:
        """[n, 128]: embeddings of images [n, size, size, 3] with landmarks [n, 68, 2], which are used to align the face.

        NaN where the landmarks are NaN.
        """
        known = np.isfinite(points).all(axis=(1, 2))
        pairs = zip(checked(images)[known], points[known], strict=True)
        chips = [dlib.get_face_chip(*_enlarged(image, face), SIDE, _CHIP_PADDING) for image, face in pairs]
        embeddings = np.full((len(images), DIMENSIONS), np.nan)
        embeddings[known] = self._network.embed(np.array(chips, np.uint8).reshape(-1, SIDE, SIDE, 3))
        return embeddings


class DlibLandmarks:
    """Finds the face and its landmarks in each image, without knowing where they should be."""

    name = "dlib frontal face detector and shape_predictor_68"

    def __init__(self) -> None:
        file = model_file("shape_predictor_68_face_landmarks.dat")
        self.sha256 = file_sha256(Path(file))
        self._detector = dlib.get_frontal_face_detector()
        self._predictor = dlib.shape_predictor(file)

    def find(self, images: Images) -> NDArray[np.float32]:
        """[n, 68, 2]: landmarks of the largest face in each image, in its pixels; NaN where no face is found."""
        return np.array([self._one(image) for image in checked(images)], np.float32).reshape(-1, POINTS, 2)

    def _one(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        large = _resize(image)
        faces = self._detector(large, 0)
        if not faces:
            return np.full((POINTS, 2), np.nan, np.float32)
        shape = self._predictor(large, max(faces, key=lambda box: box.area()))
        found = np.array([(shape.part(i).x, shape.part(i).y) for i in range(POINTS)], np.float32)
        return np.asarray((found + 0.5) * (image.shape[0] / _SIDE) - 0.5, np.float32)


def _resize(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


def _enlarged(image: NDArray[np.uint8], points: NDArray[np.float32]) -> tuple[NDArray[np.uint8], dlib.full_object_detection]:
    where = (points + 0.5) * (_SIDE / image.shape[0]) - 0.5
    low, high = where.min(axis=0), where.max(axis=0)
    box = dlib.rectangle(*(int(v) for v in (*low, *high)))
    parts = [dlib.point(int(x), int(y)) for x, y in np.round(where)]
    return _resize(image), dlib.full_object_detection(box, parts)
