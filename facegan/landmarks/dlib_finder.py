"""Landmarks by dlib's frontal face detector and its 68-point predictor (Kazemi and Sullivan 2014), on the CPU.

The predictor's file comes with the pip package face_recognition_models; it is for research use (trained on iBUG 300-W).
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from facegan.files import file_sha256
from facegan.landmarks.boxes import bgr_to_rgb, square_box
from facegan.landmarks.points import POINTS
from facegan.landmarks.tracker import Box, FaceTracker, Image, Points

_FACE_SIDE = 100
"""Side, in pixels, to which a followed face is scaled to be detected again; the detector was trained on faces of 80."""
_LOW_THRESHOLD = -0.5
"""Detection threshold there; the default is 0, but a face is known to have been at this place one frame ago."""


def dlib_finder() -> FaceTracker:
    """A finder that detects a face with dlib, follows it, and aligns landmarks frame by frame."""
    import dlib  # not installed where only annotated data is used

    predictor_file = model_file("shape_predictor_68_face_landmarks.dat")
    detector = dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(predictor_file)

    def detect(image: Image) -> list[Box]:
        faces = detector(bgr_to_rgb(image), 1)
        return [square_box(face.left(), face.top(), face.right(), face.bottom()) for face in faces]

    def align(images: Sequence[Image], boxes: Sequence[Box]) -> list[Points | None]:
        return [align_one(bgr_to_rgb(image), box) for image, box in zip(images, boxes, strict=True)]

    def align_one(image: Image, box: Box) -> Points | None:
        # The predictor gives landmarks for any image, so the detector has to say whether there is a face.
        if not detector.run(_neighbourhood(image, box), 0, _LOW_THRESHOLD)[0]:
            return None
        shape = predictor(image, dlib.rectangle(*(round(v) for v in box.corners())))
        return np.array([(shape.part(i).x, shape.part(i).y) for i in range(POINTS)], np.float32)

    return FaceTracker("dlib shape_predictor_68", lambda: file_sha256(Path(predictor_file)), detect, align, batch=1)


def _neighbourhood(image: Image, box: Box) -> Image:
    """[200, 200, 3]: twice the box, scaled so that the face has a side of 100 pixels; black outside of the image."""
    scale = _FACE_SIDE / box.side
    shift = np.array([[scale, 0, _FACE_SIDE - scale * box.x], [0, scale, _FACE_SIDE - scale * box.y]])
    return np.asarray(cv2.warpAffine(image, shift, (2 * _FACE_SIDE, 2 * _FACE_SIDE), flags=cv2.INTER_AREA), np.uint8)


def model_file(name: str) -> str:
    """Path of a file of the package face_recognition_models."""
    # The package's own function needs pkg_resources, which newer setuptools lack.
    spec = importlib.util.find_spec("face_recognition_models")
    assert spec is not None and spec.origin is not None, "face_recognition_models is not installed"
    return str(Path(spec.origin).parent / "models" / name)
