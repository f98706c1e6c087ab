"""Boxes about faces."""

from typing import Any

import cv2
import numpy as np

from facegan.landmarks.tracker import Box, Image


def _corners(face: Any) -> tuple[float, float, float, float]:
    return face.left(), face.top(), face.right(), face.bottom()


def _box(left: float, top: float, right: float, bottom: float) -> Box:
    return Box((left + right) / 2, (top + bottom) / 2, ((right - left) + (bottom - top)) / 2)


def _rgb(image: Image) -> Image:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
