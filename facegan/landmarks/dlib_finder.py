"""Landmarks of videos that have no annotations: by dlib's predictor, or by face-alignment's network.

Both follow the 68 points of iBUG. dlib's files come with a pip package; face-alignment's two must be given, and are checked.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from facegan.landmarks.boxes import _box, _corners, _rgb
from facegan.landmarks.points import POINTS
from facegan.landmarks.tracker import Box, FaceTracker, Image, Points

_LOOK = 100
"""Side, in pixels, at which dlib looks again at a face that it follows; its detector knows faces of 80."""
_LENIENT = -0.5
"""dlib's threshold there: it is known that a face was at this place a frame ago."""


def dlib_finder() -> FaceTracker:
    """dlib's detector and its 68-point predictor, on the CPU. Its file is for research use (iBUG 300-W)."""
    import dlib

    detector = dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(model_file("shape_predictor_68_face_landmarks.dat"))

    def detect(image: Image) -> list[Box]:
        return [_box(*_corners(face)) for face in detector(_rgb(image), 1)]

    def align(images: Sequence[Image], boxes: Sequence[Box]) -> list[Points | None]:
        return [one(_rgb(image), box) for image, box in zip(images, boxes, strict=True)]

    def one(image: Image, box: Box) -> Points | None:
        # The predictor answers with a face whatever it is shown, so the detector says whether there is one.
        if not detector.run(_neighbourhood(image, box), 0, _LENIENT)[0]:
            return None
        shape = predictor(image, dlib.rectangle(*(round(v) for v in box.corners())))
        return np.array([(shape.part(i).x, shape.part(i).y) for i in range(POINTS)], np.float32)

    return FaceTracker("dlib shape_predictor_68", detect, align, batch=1)


def _neighbourhood(image: Image, box: Box) -> Image:
    """Twice the box, scaled so that the face has the detector's size; black outside of the image."""
    scale = _LOOK / box.side
    shift = np.array([[scale, 0, _LOOK - scale * box.x], [0, scale, _LOOK - scale * box.y]])
    return np.asarray(cv2.warpAffine(image, shift, (2 * _LOOK, 2 * _LOOK), flags=cv2.INTER_AREA), np.uint8)


def model_file(name: str) -> str:
    """Path of a file of the package face_recognition_models."""
    # The package's own helper needs pkg_resources, so its files are read by path.
    spec = importlib.util.find_spec("face_recognition_models")
    assert spec is not None and spec.origin is not None, "face_recognition_models is not installed"
    return str(Path(spec.origin).parent / "models" / name)
