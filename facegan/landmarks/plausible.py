"""Whether 68 points can be the landmarks of a face. What a detector or an annotator got badly wrong is rejected by name.

The bounds are wide: faces in profile, tilted or partly outside of the image pass.
"""

import math

import numpy as np
from numpy.typing import NDArray

from facegan.landmarks.points import POINTS

NOT_FINITE = "a landmark is no finite number of pixels"
ONE_PLACE = "the landmarks lie in one place"
APART = "a landmark lies far from all others"
EXCHANGED = "x and y, or left and right, of the landmarks are exchanged"
UPSIDE_DOWN = "the eyes lie below the mouth"

_LEAST_EXTENT = 4.0
"""Pixels. A smaller face shows nothing."""
_FARTHEST = 5.0
"""Largest distance of a landmark from their centre, relative to the mean distance. Faces have at most 2.5."""
_EXCHANGED = -0.05
"""Area that the eyes and the mouth span, in squares of the extent: +0.15 to +0.3 from the front, about 0 in profile."""
_UPSIDE_DOWN = -0.5
"""Cosine: heads that are tilted by up to 120 degrees pass."""

_PARTS = (slice(0, POINTS), slice(36, 42), slice(42, 48), slice(48, POINTS))
"""All points, the right eye, the left eye, the mouth."""
_MEANS = np.zeros((len(_PARTS), POINTS))
for _row, _part in zip(_MEANS, _PARTS, strict=True):
    _row[_part] = 1 / (_part.stop - _part.start)
_MEANS.setflags(write=False)


def why_implausible(points: NDArray[np.float32]) -> str:
    """The reason why points [68, 2], in pixels with y downwards, cannot be a face; '' if they can."""
    wide, high = (points.max(axis=0) - points.min(axis=0)).tolist()
    extent = max(wide, high)
    if not (math.isfinite(wide) and math.isfinite(high)):
        return NOT_FINITE
    if extent < _LEAST_EXTENT:
        return ONE_PLACE
    # One product for all means: this runs for every frame.
    means = _MEANS @ points.astype(np.float64)
    distance = np.hypot(*(points - means[0]).T)
    if distance.max() > _FARTHEST * distance.mean():
        return APART
    (right_x, right_y), (left_x, left_y), (mouth_x, mouth_y) = means[1:].tolist()
    down_x, down_y = mouth_x - (left_x + right_x) / 2, mouth_y - (left_y + right_y) / 2
    # From the person's right eye to the left one, then to the mouth, is a turn to the right in the image, however it is tilted.
    if (left_x - right_x) * down_y - (left_y - right_y) * down_x < _EXCHANGED * extent**2:
        return EXCHANGED
    return UPSIDE_DOWN if down_y < _UPSIDE_DOWN * math.hypot(down_x, down_y) else ""
