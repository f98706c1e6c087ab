"""What is judged: pairs of frames and short runs of consecutive ones, equal in every arm, seed and study of a data set."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegan.config import Config
from facegan.data.face_data import FaceData
from facegan.errors import UserError
from facegan.inference import Images

_CANDIDATES = 40
"""Frames of a clip, evenly spread, among which another person's frame of a pose is looked for."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Source and target rows of each pair, [n], and the clip that both come from."""

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    clip: list[str]

    def __len__(self) -> int:
        return len(self.clip)


@dataclass(frozen=True, slots=True)
class FrameSequence:
    """Consecutive rows of a clip, [n], all drawn from one source row; fewer than two where the clip has no such frames."""

    clip: str
    source: int
    rows: NDArray[np.int64]


def choose_pairs(data: FaceData, part: str, config: Config, per_clip: int, only: str | None = None) -> Pairs:
    """`per_clip` pairs of different frames of each clip of a part of the data, drawn by the clip's place alone.

    `only` one clip's pairs are the ones that it has among all.
    """
    clips = data.clips(part, config.data.validation_fraction)
    source, target, names = [], [], []
    for place, (clip, rows) in enumerate(clips.items()):
        if len(rows) < 2 or clip != (only or clip):
            continue
        rng = np.random.default_rng([300, place])
        for _ in range(per_clip):
            a, b = rng.choice(rows, size=2, replace=False)
            source.append(a)
            target.append(b)
            names.append(clip)
    if not names:
        raise UserError(f"--data has no {part} clip with two frames or more, so nothing can be judged there")
    return Pairs(np.array(source), np.array(target), names)


def choose_sequences(data: FaceData, pairs: Pairs, frames: int) -> list[FrameSequence]:
    """A run of at most `frames` consecutive frames of each test clip that has pairs, from the source of its first pair.

    It is the longest there is up to `frames`, without the source where that is possible, and otherwise the one in the middle.
    """
    runs, clips = [], data.clips("test", 0.0)
    for clip in dict.fromkeys(pairs.clip):
        source, rows = int(pairs.source[pairs.clip.index(clip)]), clips[clip]
        broken = np.flatnonzero(np.diff(data.frame[rows]) != 1) + 1
        pieces = [piece for piece in np.split(rows, broken) if len(piece) > 1 and frames > 1]
        windows = [piece[i : i + frames] for piece in pieces for i in range(max(1, len(piece) - frames + 1))]
        middle = float(rows.mean())
        chosen = min(windows, key=lambda w: (-len(w), source in w, abs(w.mean() - middle)), default=rows[:0])
        runs.append(FrameSequence(clip, source, chosen))
    return runs


def of_another_person(data: FaceData, rows: NDArray[np.int64], clips: list[str]) -> NDArray[np.int64] | None:
    """[n]: for each row, of one of these clips each, the test row of another person whose pose is nearest; None for one person.

    Poses are compared by landmarks without their place and size; turned and tilted heads differ.
    """
    test_clips = data.clips("test", 0.0)
    if len({data.person_of(clip) for clip in test_clips}) < 2:
        return None
    few = {clip: r[np.linspace(0, len(r) - 1, min(_CANDIDATES, len(r))).round().astype(int)] for clip, r in test_clips.items()}
    candidates = np.concatenate(list(few.values()))
    owners = np.repeat([data.person_of(clip) for clip in few], [len(r) for r in few.values()])
    shapes, wanted = _poses(data.points[candidates]), _poses(data.points[rows])
    nearest = []
    for pose, clip in zip(wanted, clips, strict=True):
        distance = np.square(shapes - pose).sum(axis=1)
        nearest.append(candidates[np.argmin(np.where(owners == data.person_of(clip), np.inf, distance))])
    return np.array(nearest)


def _poses(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """[n, 136]: the points about their mean, brought to one size."""
    centred = points.astype(np.float64) - points.mean(axis=1, keepdims=True)
    return np.asarray((centred / np.sqrt(np.square(centred).mean(axis=(1, 2), keepdims=True))).reshape(len(points), -1))


def images_of(data: FaceData, rows: NDArray[np.int64]) -> Images:
    """The frames of some rows."""
    return np.array([data.image(row) for row in rows], np.uint8).reshape(-1, data.size, data.size, 3)
