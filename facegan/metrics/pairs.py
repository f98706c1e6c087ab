"""The frames to evaluate: pairs and short sequences, the same for every arm, seed and study of a data set."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegan.config import Config
from facegan.data.face_data import FaceData
from facegan.errors import UserError
from facegan.inference import Images

_CANDIDATES = 40
"""Frames per clip, evenly spread, among which a frame of another person with a given pose is searched."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Source and target rows of each pair, [n], and the clip of both."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    clip: list[str]

    def __len__(self) -> int:
        return len(self.clip)


@dataclass(frozen=True, slots=True)
class FrameSequence:
    """Consecutive rows [n] of a clip, all generated from one source row; empty if the clip has no two consecutive frames."""

    clip: str
    source: int
    rows: NDArray[np.int64]


def choose_pairs(data: FaceData, part: str, config: Config, per_clip: int, only: str | None = None) -> Pairs:
    """`per_clip` pairs of two different frames of each clip of a part ('train', 'validation', 'test') of the data.

    They depend on the position of the clip in its part alone. With `only` the pairs of this clip, the same as among all.
    Raises UserError if no clip has two frames.
    """
    clips = data.clips(part, config.data.validation_fraction)
    source, target, names = [], [], []
    for position, (clip, rows) in enumerate(clips.items()):
        if len(rows) < 2 or clip != (only or clip):
            continue
        rng = np.random.default_rng([300, position])
        for _ in range(per_clip):
            a, b = rng.choice(rows, size=2, replace=False)
            source.append(a)
            target.append(b)
            names.append(clip)
    if not names:
        raise UserError(f"--data has no {part} clip with two frames or more, so nothing can be evaluated there")
    return Pairs(np.array(source), np.array(target), names)


def choose_sequences(data: FaceData, pairs: Pairs, frames: int) -> list[FrameSequence]:
    """Up to `frames` consecutive frames of each test clip that has pairs, with the source of its first pair.

    Of all such sequences the longest; of these one without the source, if there is one; of these the one closest to the middle.
    """
    sequences, clips = [], data.clips("test", 0.0)
    for clip in dict.fromkeys(pairs.clip):
        source, rows = int(pairs.source[pairs.clip.index(clip)]), clips[clip]
        breaks = np.flatnonzero(np.diff(data.frame[rows]) != 1) + 1
        pieces = [piece for piece in np.split(rows, breaks) if len(piece) > 1 and frames > 1]
        windows = [piece[i : i + frames] for piece in pieces for i in range(max(1, len(piece) - frames + 1))]
        middle = float(rows.mean())
        chosen = min(windows, key=lambda w: (-len(w), source in w, abs(w.mean() - middle)), default=rows[:0])
        sequences.append(FrameSequence(clip, source, chosen))
    return sequences


def of_another_person(data: FaceData, rows: NDArray[np.int64], clips: list[str]) -> NDArray[np.int64] | None:
    """[n]: for each of some rows [n], of these clips [n], the test row of another person with the nearest pose.

    Poses are compared by landmarks without their position and size; turned and tilted heads differ. None if all test clips are
    of one person.
    """
    test_clips = data.clips("test", 0.0)
    if len({data.person_of(clip) for clip in test_clips}) < 2:
        return None
    few = {clip: r[np.linspace(0, len(r) - 1, min(_CANDIDATES, len(r))).round().astype(int)] for clip, r in test_clips.items()}
    candidates = np.concatenate(list(few.values()))
    people = np.repeat([data.person_of(clip) for clip in few], [len(r) for r in few.values()])
    shapes, wanted = _poses(data.points[candidates]), _poses(data.points[rows])
    nearest = []
    for pose, clip in zip(wanted, clips, strict=True):
        distance = np.square(shapes - pose).sum(axis=1)
        nearest.append(candidates[np.argmin(np.where(people == data.person_of(clip), np.inf, distance))])
    return np.array(nearest)


def _poses(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """[n, 136]: points [n, 68, 2] relative to their mean, scaled to a mean square of 1."""
    centred = points.astype(np.float64) - points.mean(axis=1, keepdims=True)
    return np.asarray((centred / np.sqrt(np.square(centred).mean(axis=(1, 2), keepdims=True))).reshape(len(points), -1))


def images_of(data: FaceData, rows: NDArray[np.int64]) -> Images:
    """The images [n, size, size, 3] of some rows [n]."""
    return np.array([data.image(row) for row in rows], np.uint8).reshape(-1, data.size, data.size, 3)
