"""The target landmarks of a frame: how the motion of the driving face becomes motion of the person in the photo.

Both faces are cropped as training images are: the nose tip in the middle, and the landmarks 1 / crop_scale of the crop's
side. So a head that travels through the driving picture, or comes nearer, does not travel in the video; a generator never
saw a face elsewhere in its crop. What is left is the turn of the head and the expression.

Both motions start from a reference frame of the driving clip, in which its face should be as the source's is: else a head
that is turned there adds its turn to all frames. It is the frame whose landmarks are nearest to the source's after their mean
and their size are taken away, as in the first-order motion model (Siarohin et al. 2019), or the clip's first.

The size of landmarks is their root mean square distance from their mean. With c the means and r the ratio of the sizes of
source and reference, s the source's landmarks, d those of the driving frame and d0 those of the reference:

    relative    t = s + r (d - d0)
    absolute    t = c(s) + r (d - c(d0))

The two differ by a constant, the difference of the two faces' shapes in the reference.
"""

import numpy as np
from numpy.typing import NDArray

from facegan.errors import UserError
from facegan.reenact.options import MotionKind

Points = NDArray[np.float32]


class Motion:
    """The motion of a driving face, applied to a source; all landmarks are in crop pixels.

    `source` and `reference` [68, 2] are the source's landmarks and those of the driving clip's reference frame.
    """

    def __init__(self, source: Points, reference: Points, kind: MotionKind) -> None:
        self._ratio = _size(source) / _size(reference)
        if kind == "relative":
            self._start, self._origin = source.astype(np.float64), reference.astype(np.float64)
        else:
            self._start, self._origin = _centre(source), _centre(reference)

    def targets(self, driving: Points) -> Points:
        """Target landmarks [n, 68, 2] for those of driving frames [n, 68, 2]."""
        return np.asarray(self._start + self._ratio * (driving - self._origin), np.float32)


def pose_distance(first: Points, second: Points) -> float:
    """How different two faces' landmarks [68, 2] are, whatever their places and sizes; 0: they are alike."""
    shapes = [(points - _centre(points)) / _size(points) for points in (first, second)]
    return float(np.square(shapes[0] - shapes[1]).sum())


def _centre(points: Points) -> NDArray[np.float64]:
    return np.asarray(points.astype(np.float64).mean(axis=0), np.float64)


def _size(points: Points) -> float:
    """Root mean square distance of points [68, 2] from their mean."""
    size = float(np.sqrt(np.square(points - _centre(points)).sum(axis=1).mean()))
    if size <= 0:
        raise UserError("the landmarks of a face lie in one place; name another photo or clip")
    return size
