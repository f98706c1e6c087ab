"""A second opinion on landmarks: dlib looks for a face near them, and its 68 points are compared with theirs.

It takes about 30 ms a frame on one core. dlib finds faces from the front; of others it says nothing.
"""

from collections.abc import Callable

import cv2
import numpy as np

from facegan.landmarks.boxes import bgr_to_rgb
from facegan.landmarks.dlib_finder import model_file
from facegan.landmarks.finder import DISAGREES, NO_FACE_NEAR
from facegan.landmarks.points import EYE_CORNERS, NOSE_TIP, POINTS
from facegan.landmarks.tracker import Image, Points

LARGEST_DISTANCE = 0.3
"""Mean distance of the 68 points from dlib's, in distances of the outer eye corners. On faces that dlib finds, it is 0.04 to
0.16."""
_FACE_SIDE = 100
"""Pixels to which the landmarks are scaled. The detector was trained on faces of 80 and finds larger ones too."""
_NEIGHBOURHOOD = 4
"""Side of the part of the image that is searched, in sizes of the landmarks: a face above or below them is inside."""


def dlib_check() -> Callable[[Image, Points], str]:
    """The check by dlib's frontal face detector and its 68-point predictor.

    It takes a BGR image [height, width, 3] and points [68, 2] in its pixels, and returns DISAGREES, NO_FACE_NEAR, or '' if
    dlib agrees.
    """
    import dlib  # not installed where nothing is checked

    detector = dlib.get_frontal_face_detector()
    predictor = dlib.shape_predictor(model_file("shape_predictor_68_face_landmarks.dat"))

    def check(image: Image, points: Points) -> str:
        near, moved = _near(image, points)
        faces = detector(near, 0)
        if not faces:
            return NO_FACE_NEAR
        found = [predictor(near, face) for face in faces]
        others = [np.array([(shape.part(i).x, shape.part(i).y) for i in range(POINTS)], np.float32) for shape in found]
        # The nearest: a second person in the picture is no disagreement.
        return DISAGREES if min(distance(moved, other) for other in others) > LARGEST_DISTANCE else ""

    return check


def distance(points: Points, other: Points) -> float:
    """Mean distance of points [68, 2] from a detector's, relative to the distance of the outer eye corners in the latter."""
    right, left = other[EYE_CORNERS[0]], other[EYE_CORNERS[1]]
    return float(np.linalg.norm(points - other, axis=1).mean() / max(float(np.linalg.norm(left - right)), 1.0))


def _near(image: Image, points: Points) -> tuple[Image, Points]:
    """The RGB image around the landmarks, scaled to a known size of the face, and the points there; black beyond the image."""
    scale = _FACE_SIDE / max(float((points.max(axis=0) - points.min(axis=0)).max()), 1.0)
    side = _NEIGHBOURHOOD * _FACE_SIDE
    x, y = points[NOSE_TIP].tolist()
    shift = np.array([[scale, 0, side / 2 - scale * x], [0, scale, side / 2 - scale * y]])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    part = np.asarray(cv2.warpAffine(bgr_to_rgb(image), shift, (side, side), flags=how), np.uint8)
    return part, np.asarray(points @ shift[:, :2].T + shift[:, 2], np.float32)
