"""The frames to evaluate: pairs and short sequences, the same for every arm, seed and study of a data set."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.errors import UserError
from facegan.inference import Images

_CANDIDATES = 40
"""Frames per clip, evenly spread, among which a frame with a given pose, or the largest change of pose, is searched."""
_EXPECTED_ROWS = 16
"""Images whose clips are fetched side by side."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Source and target rows of each pair, [n], and the clip of both.

    `third` [n] are rows of a third frame of the clip, with which the identity of an image is compared; in a clip of two frames
    it is the source. `large_pose` [n] is True for pairs that were chosen because the pose changes much. They are scored apart
    from the others, which are chosen by chance.
    """

    source: NDArray[np.int64]
    target: NDArray[np.int64]
    third: NDArray[np.int64]
    clip: list[str]
    large_pose: NDArray[np.bool_]

    def groups(self) -> list[str]:
        """[n]: a name for the pairs of each clip that are scored together."""
        return [f"{clip}/{'large' if large else 'random'}" for clip, large in zip(self.clip, self.large_pose, strict=True)]

    def __len__(self) -> int:
        return len(self.clip)


@dataclass(frozen=True, slots=True)
class FrameSequence:
    """Consecutive rows [n] of a clip, all generated from one source row; empty if the clip has no two consecutive frames."""

    clip: str
    source: int
    rows: NDArray[np.int64]


def choose_pairs(
    data: FaceData, part: str, config: Config, per_clip: int, only: str | None = None, large_pose: int = 0
) -> Pairs:
    """`per_clip` pairs of two different frames of each clip of a part ('train', 'validation', 'test') of the data.

    They depend on the position of the clip in its part alone. After them come `large_pose` further pairs of the clip, those
    between whose frames the pose changes most. With `only` the pairs of this clip, the same as among all. Raises UserError if
    no clip has two frames.
    """
    clips = data.clips(part, config.data.validation_fraction)
    source, target, names, large = [], [], [], []
    for position, (clip, rows) in enumerate(clips.items()):
        if len(rows) < 2 or clip != (only or clip):
            continue
        rng = np.random.default_rng([300, position])
        for _ in range(per_clip):
            a, b = rng.choice(rows, size=2, replace=False)
            source.append(a)
            target.append(b)
        far = _largest_changes(data, rows, large_pose)
        source += [a for a, _ in far]
        target += [b for _, b in far]
        names += [clip] * (per_clip + len(far))
        large += [False] * per_clip + [True] * len(far)
    if not names:
        raise UserError(f"--data has no {part} clip with two frames or more, so nothing can be evaluated there")
    third = [_third_frame(clips[clip], a, b) for clip, a, b in zip(names, source, target, strict=True)]
    return Pairs(np.array(source), np.array(target), np.array(third), names, np.array(large, np.bool_))


def _third_frame(rows: NDArray[np.int64], source: np.int64, target: np.int64) -> np.int64:
    """The row that is farthest in time from both frames of a pair, so that it resembles neither; the first of several."""
    distance = np.minimum(abs(rows - source), abs(rows - target))
    return np.int64(rows[distance.argmax()]) if distance.any() else source


def _largest_changes(data: FaceData, rows: NDArray[np.int64], count: int) -> list[tuple[np.int64, np.int64]]:
    """The `count` pairs, of the evenly spread frames of a clip, between which the pose changes most, the largest first.

    A pair and its reverse are two pairs.
    """
    if not count:
        return []  # without reading landmarks, for which a clip might have to be fetched
    few = _spread(rows)
    shapes = _poses(data.points[few])
    change = np.square(shapes[:, None] - shapes[None]).sum(axis=2)
    np.fill_diagonal(change, -1.0)
    order = np.argsort(-change, axis=None, kind="stable")[: min(count, len(few) * (len(few) - 1))]
    return [(few[i], few[j]) for i, j in zip(*np.unravel_index(order, change.shape), strict=True)]


def _spread(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most `_CANDIDATES` of some rows, evenly spread."""
    return np.asarray(rows[np.linspace(0, len(rows) - 1, min(_CANDIDATES, len(rows))).round().astype(int)])


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


def of_another_person(
    data: FaceData, rows: NDArray[np.int64], clips: list[str], part: str = "test"
) -> NDArray[np.int64] | None:
    """[n]: for each of some rows [n], of these clips [n], the row of another person with the nearest pose.

    Test people are compared with test people, all others ('train', 'validation') with people who are not tested on. Poses are
    compared by landmarks without their position and size; turned and tilted heads differ. None if all are one person.
    """
    candidate_clips = data.clips("test" if part == "test" else "train", 0.0)
    if len({data.person_of(clip) for clip in candidate_clips}) < 2:
        return None
    few = {clip: _spread(r) for clip, r in candidate_clips.items()}
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
    images = []
    for start in range(0, len(rows), _EXPECTED_ROWS):
        some = rows[start : start + _EXPECTED_ROWS]
        data.frames.expect(some)
        images += [data.image(row) for row in some]
    return np.array(images, np.uint8).reshape(-1, data.size, data.size, 3)
