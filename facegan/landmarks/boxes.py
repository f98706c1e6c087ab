"""Conversions between the face boxes and colour orders of detectors and those of `facegan.landmarks.tracker`."""

import cv2
import numpy as np

from facegan.landmarks.tracker import Box, Image


def square_box(left: float, top: float, right: float, bottom: float) -> Box:
    """The square with the middle of a rectangle and the mean of its sides, pixels."""
    return Box((left + right) / 2, (top + bottom) / 2, ((right - left) + (bottom - top)) / 2)


def bgr_to_rgb(image: Image) -> Image:
    """[height, width, 3] with the channels in the order red, green, blue."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
