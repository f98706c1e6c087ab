"""Follows one face through a clip: found by a detector where it begins, then by its own last landmarks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Points = NDArray[np.float32]

NO_FACE = "no face found"
LOST = "face lost"
SEVERAL = "several faces, none of them twice as large as the others"

_RIVAL = 0.5
"""A second face of more than this share of the largest one's area leaves open which is the clip's."""
_SAME_FACE = 0.3
"""Overlap (intersection over union) of a detected face with the place of the lost one, to be taken for the same."""
_STEADY = 0.8
"""Overlap of the box that was used with the one that the landmarks ask for; below it the frame is aligned once more."""
_GROWTH = 1.4
"""Largest change of the face's size, as a factor, from a frame to the next."""
_STEP = 0.5
"""Longest way of the face's middle from a frame to the next, in sizes of the face."""


@dataclass(frozen=True, slots=True)
class Box:
    """A square in pixels: its middle and its side."""

    x: float
    y: float
    side: float

    def corners(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        half = self.side / 2
        return self.x - half, self.y - half, self.x + half, self.y + half

    def overlap(self, other: "Box") -> float:
        """Intersection over union."""
        a, b = self.corners(), other.corners()
        wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        shared = max(0.0, wide) * max(0.0, high)
        return shared / (self.side**2 + other.side**2 - shared)


Detect = Callable[[Image], list[Box]]
"""The faces of a BGR image."""
Align = Callable[[Sequence[Image], Sequence[Box]], list[Points | None]]
"""Landmarks [68, 2] in each image's box, or None where they are no face's."""


class FaceTracker:
    """A `LandmarkFinder` made of a detector and an aligner. What it cannot find has a reason; it raises for no frame.

    A detector's boxes lie about a face in a way of their own. The first box of a track tells that way, and each later box
    is put about the last landmarks in the same way, so an aligner always sees the boxes that it was trained on.
    """

    def __init__(self, name: str, sha256: Callable[[], str], detect: Detect, align: Align, batch: int) -> None:
        self.name, self.sha256, self.batch = name, sha256, batch
        self._detect, self._align = detect, align
        self.restart()

    def restart(self) -> None:
        """Another clip begins: forget the face."""
        self._way: Box | None = None
        self._last: Box | None = None
        self._lost_at: Box | None = None

    def find(self, images: Sequence[Image]) -> list[Points | str]:
        """Points [68, 2] of each of some consecutive BGR images [height, width, 3], or the reason why it has none."""
        assert all(image.ndim == 3 and image.dtype == np.uint8 for image in images), "BGR images of 8 bits"
        found: list[Points | str] = []
        while len(found) < len(images):
            rest = images[len(found) :]
            followed = self._follow(rest) if self._last else []
            found += followed or [self._begin(rest[0])]
        return found

    def _follow(self, images: Sequence[Image]) -> list[Points]:
        """Landmarks of the first images, up to the one where the face is lost: it has to be looked for there."""
        followed: list[Points] = []
        box = self._expected()
        for image, points in zip(images, self._align(images, [box] * len(images)), strict=True):
            if points is not None and box.overlap(self._about(points)) < _STEADY:
                (points,) = self._align([image], [self._about(points)])
            if points is None or not self._continues(points, image):
                self._lost_at, self._last = box, None
                break
            self._last = _extent(points)
            followed.append(points)
        return followed

    def _begin(self, image: Image) -> Points | str:
        """Detect the face anew: the lost one where it was, or else the largest."""
        boxes = sorted(self._detect(image), key=lambda box: -box.side)
        if self._lost_at is not None:
            near = [box for box in boxes if box.overlap(self._lost_at) > _SAME_FACE]
            boxes = near or boxes
        if not boxes:
            return NO_FACE if self._lost_at is None else LOST
        if len(boxes) > 1 and boxes[1].side ** 2 > _RIVAL * boxes[0].side ** 2:
            return SEVERAL
        (points,) = self._align([image], [boxes[0]])
        if points is None:
            return NO_FACE if self._lost_at is None else LOST
        self._last = _extent(points)
        self._way = Box(
            (boxes[0].x - self._last.x) / self._last.side,
            (boxes[0].y - self._last.y) / self._last.side,
            boxes[0].side / self._last.side,
        )
        return points

    def _expected(self) -> Box:
        assert self._last is not None
        return self._placed(self._last)

    def _about(self, points: Points) -> Box:
        return self._placed(_extent(points))

    def _placed(self, face: Box) -> Box:
        assert self._way is not None
        return Box(face.x + self._way.x * face.side, face.y + self._way.y * face.side, face.side * self._way.side)

    def _continues(self, points: Points, image: Image) -> bool:
        """Whether landmarks are those of the face of the frame before."""
        assert self._last is not None
        now, before = _extent(points), self._last
        height, width = image.shape[:2]
        return (
            1 / _GROWTH < now.side / before.side < _GROWTH
            and np.hypot(now.x - before.x, now.y - before.y) < _STEP * before.side
            and 0 <= now.x < width
            and 0 <= now.y < height
        )


def _extent(points: Points) -> Box:
    """The middle of the landmarks and the mean of their width and height."""
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = (low + high) / 2
    return Box(float(x), float(y), max(float((high - low).mean()), 1.0))
