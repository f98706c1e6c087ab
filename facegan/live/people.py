"""The test people that the page can start from: one image of each, with its landmarks."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegan.data.reading.face_data import FaceData
from facegan.errors import UserError
from facegan.inference import Images
from facegan.metrics.pairs import images_of


@dataclass(frozen=True, slots=True)
class Sources:
    """Images [n, size, size, 3] of n people, their landmarks [n, 68, 2] in pixels, and the people's names."""

    names: list[str]
    images: Images
    points: NDArray[np.float32]

    def signed(self) -> NDArray[np.float32]:
        """The images as the networks take them: [n, 3, size, size] in [-1, 1]."""
        return np.ascontiguousarray(self.images.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(127.5) - 1)


def choose_sources(data: FaceData, count: int) -> Sources:
    """Up to `count` test people, evenly spread over the order of their clips.

    A person's image is the frame of the first clip whose landmarks are closest to their mean over the clip: neither the mouth
    nor the pose is extreme. Raises UserError if the data set has no test clip.
    """
    clips: dict[str, NDArray[np.int64]] = {}
    for clip, rows in data.clips("test", 0.0).items():
        clips.setdefault(data.person_of(clip), rows)
    if not clips:
        raise UserError("the study's data set has no test clip, so there is no held-out person to draw")
    people = list(clips)
    names = [people[i] for i in np.linspace(0, len(people) - 1, min(count, len(people))).round().astype(int)]
    rows = np.array([_typical(data, clips[name]) for name in names])
    return Sources(names, images_of(data, rows), np.asarray(data.points[rows], np.float32))


def _typical(data: FaceData, rows: NDArray[np.int64]) -> int:
    """The row whose landmarks, without their position, are closest to the mean of some rows."""
    points = data.points[rows]
    centred = points - points.mean(axis=1, keepdims=True)
    return int(rows[np.square(centred - centred.mean(axis=0)).sum(axis=(1, 2)).argmin()])
