"""Follow one face through a clip: a detector finds it once, then its own last landmarks say where to look."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""[height, width, 3] BGR."""
Points = NDArray[np.float32]
"""[68, 2] in pixels."""

NO_FACE = "no face found"
LOST = "face lost"
SEVERAL = "several faces, none of them twice as large as the others"

_RIVAL_AREA = 0.5
"""A second face with more than this share of the largest one's area makes it unclear whose clip it is."""
_SAME_FACE_OVERLAP = 0.3
"""Overlap (intersection over union) of a detected face with the place of the lost one, to be taken for the same."""
_ALIGNED_OVERLAP = 0.8
"""Overlap of the box that was used with the box that the landmarks ask for, below which the frame is aligned once more."""
_MAX_GROWTH = 1.4
"""Largest change of the face's size from one frame to the next, as a factor."""
_MAX_STEP = 0.5
"""Longest motion of the face's centre from one frame to the next, in sizes of the face."""


@dataclass(frozen=True, slots=True)
class Box:
    """A square in pixels: its centre and its side."""

    x: float
    y: float
    side: float

    def corners(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom."""
        half = self.side / 2
        return self.x - half, self.y - half, self.x + half, self.y + half

    def overlap(self, other: "Box") -> float:
        """Intersection over union, in [0, 1]."""
        a, b = self.corners(), other.corners()
        wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        shared = max(0.0, wide) * max(0.0, high)
        return shared / (self.side**2 + other.side**2 - shared)


Detect = Callable[[Image], list[Box]]
"""The faces of an image."""
Align = Callable[[Sequence[Image], Sequence[Box]], list[Points | None]]
"""The landmarks in one box of each image, or None where they do not show a face."""


class FaceTracker:
    """A `LandmarkFinder` made of a detector and an aligner. A frame without landmarks gets a reason; none raises an error.

    The boxes of a detector have their own position and size relative to a face. The first box of a track shows this relation.
    Each later box is placed around the last landmarks in the same way, so that the aligner gets boxes like those it was trained
    on. `name` and `sha256` name detector and aligner in results; `batch` frames are aligned at once.
    """

    def __init__(self, name: str, sha256: Callable[[], str], detect: Detect, align: Align, batch: int) -> None:
        self.name, self.sha256, self.batch = name, sha256, batch
        self._detect, self._align = detect, align
        self.restart()

    def restart(self) -> None:
        """Forget the face: the next frame is of another clip."""
        self._box_of_face: Box | None = None
        """The detector's box for a face of centre (0, 0) and size 1."""
        self._last: Box | None = None
        self._lost_at: Box | None = None

    def find(self, images: Sequence[Image]) -> list[Points | str]:
        """Points [68, 2] in pixels of each of some consecutive BGR images, or the reason why it has none."""
        assert all(image.ndim == 3 and image.dtype == np.uint8 for image in images), "BGR images of 8 bits"
        found: list[Points | str] = []
        while len(found) < len(images):
            rest = images[len(found) :]
            followed = self._follow(rest) if self._last else []
            found += followed or [self._detect_face(rest[0])]
        return found

    def _follow(self, images: Sequence[Image]) -> list[Points]:
        """Landmarks of the first images, up to the one in which the face is lost and must be detected again."""
        assert self._last is not None
        followed: list[Points] = []
        box = self._place_box(self._last)
        for image, points in zip(images, self._align(images, [box] * len(images)), strict=True):
            if points is not None:
                wanted = self._place_box(_extent(points))
                if box.overlap(wanted) < _ALIGNED_OVERLAP:
                    (points,) = self._align([image], [wanted])
            if points is None or not self._continues(points, image):
                self._lost_at, self._last = box, None
                break
            self._last = _extent(points)
            followed.append(points)
        return followed

    def _detect_face(self, image: Image) -> Points | str:
        """Landmarks of a detected face: of the lost one at its place, or else of the largest."""
        boxes = sorted(self._detect(image), key=lambda box: -box.side)
        if self._lost_at is not None:
            near = [box for box in boxes if box.overlap(self._lost_at) > _SAME_FACE_OVERLAP]
            boxes = near or boxes
        if len(boxes) > 1 and boxes[1].side ** 2 > _RIVAL_AREA * boxes[0].side ** 2:
            return SEVERAL
        points = self._align([image], [boxes[0]])[0] if boxes else None
        if points is None:
            return NO_FACE if self._lost_at is None else LOST
        box, face = boxes[0], _extent(points)
        self._last = face
        self._box_of_face = Box((box.x - face.x) / face.side, (box.y - face.y) / face.side, box.side / face.side)
        return points

    def _place_box(self, face: Box) -> Box:
        """The box that the detector would give for a face with this extent."""
        relative = self._box_of_face
        assert relative is not None
        return Box(face.x + relative.x * face.side, face.y + relative.y * face.side, face.side * relative.side)

    def _continues(self, points: Points, image: Image) -> bool:
        """Whether landmarks can be those of the face of the previous frame."""
        assert self._last is not None
        now, before = _extent(points), self._last
        height, width = image.shape[:2]
        return (
            1 / _MAX_GROWTH < now.side / before.side < _MAX_GROWTH
            and np.hypot(now.x - before.x, now.y - before.y) < _MAX_STEP * before.side
            and 0 <= now.x < width
            and 0 <= now.y < height
        )


def _extent(points: Points) -> Box:
    """The centre of the landmarks, and the mean of their width and height, at least 1."""
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = (low + high) / 2
    return Box(float(x), float(y), max(float((high - low).mean()), 1.0))
