"""The 68-point convention of iBUG: .pts files, named points, facial parts, and mirroring.

Coordinates are (x, y) in pixels; whole numbers are pixel centres, and (0, 0) is the top left one.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegan.files import read_bytes

POINTS = 68
EYE_CORNERS = (36, 45)
NOSE_TIP = 30

PARTS: dict[str, tuple[list[list[int]], bool]] = {
    "jaw": ([list(range(17))], False),
    "right_brow": ([list(range(17, 22))], False),
    "left_brow": ([list(range(22, 27))], False),
    "nose": ([list(range(27, 31)), list(range(31, 36))], False),
    "right_eye": ([list(range(36, 42))], True),
    "left_eye": ([list(range(42, 48))], True),
    "outer_lips": ([list(range(48, 60))], True),
    "inner_lips": ([list(range(60, 68))], True),
}
"""Lines of the face as (points of each line, whether it is closed); each part is a channel of the `parts` maps."""

_MOST_PIXELS = 1e6

_MIRROR_PAIRS = [
    *((i, 16 - i) for i in range(8)),
    *((17 + i, 26 - i) for i in range(5)),
    *((31, 35), (32, 34)),
    *((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)),
    *((48, 54), (49, 53), (50, 52), (55, 59), (56, 58)),
    *((60, 64), (61, 63), (65, 67)),
]


class BadAnnotation(ValueError):
    """A .pts file that does not hold 68 finite points. The message is the reason in the quarantine table."""


def mirror_permutation() -> NDArray[np.int64]:
    """[68]: landmark i of a mirrored face is landmark `mirror_permutation()[i]` of the face."""
    order = np.arange(POINTS)
    for left, right in _MIRROR_PAIRS:
        order[left], order[right] = right, left
    return order


def mirror(points: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Points [..., 68, 2] of an image of width `size` after it is mirrored; left and right landmarks are exchanged."""
    flipped = points[..., mirror_permutation(), :].copy()
    flipped[..., 0] = size - 1 - flipped[..., 0]
    return flipped


def read_pts(path: Path | str) -> NDArray[np.float32]:
    """Points [68, 2] of a .pts file, moved by -1, since its coordinates count from 1. Raises BadAnnotation with the reason."""
    try:
        # A clip has thousands of these files, and float() takes a third of the time of NumPy's parsers.
        body = read_bytes(path).split(b"{")[1].split(b"}")[0]
        values = np.array([float(value) for value in body.split()], np.float64)
    except OSError as error:
        raise BadAnnotation(f"annotation cannot be read ({error.strerror or error})") from None
    except (IndexError, ValueError):
        raise BadAnnotation("annotation is not a .pts file") from None
    if values.size != 2 * POINTS:
        raise BadAnnotation(f"annotation has {values.size / 2:g} points instead of {POINTS}")
    if not np.isfinite(values).all():
        raise BadAnnotation("annotation has a coordinate that is no finite number")
    # Such numbers would overflow in float32 or in arithmetic on them.
    if np.abs(values).max() > _MOST_PIXELS:
        raise BadAnnotation("annotation has a coordinate beyond any image")
    return (values.reshape(POINTS, 2) - 1).astype(np.float32)
