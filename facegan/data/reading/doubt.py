"""Which clips of a data set to look at first.

Rejected frames, sudden moves and sizes, small faces and a detector's doubt speak against a clip.

The doubt of a clip is a sum of shares of its frames, so that 0 means that nothing speaks against it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegan.data.ingest.clip_record import Quarantined
from facegan.data.reading.face_data import FaceData
from facegan.landmarks.points import NOSE_TIP

_FAST = 0.3
"""Step of the nose tip from one frame to the next, in sizes of the face. Faces move by a tenth; 1.0 is rejected by ingest."""
_OTHER_SIZE = 1.5
"""Ratio to the clip's median size."""
_MOST_DOUBTFUL = 10
"""Clips that are listed."""
_SMALL = 32
"""Size of a face in pixels of the source below which little of it can be seen."""


@dataclass(frozen=True, slots=True)
class ClipDoubt:
    """A clip, its doubt from 0 on, and the reasons in words."""

    clip: str
    doubt: float
    reasons: tuple[str, ...]


def clips_by_doubt(data: FaceData, quarantine: Sequence[Quarantined], no_face: Mapping[str, int]) -> list[ClipDoubt]:
    """All clips, the most doubtful first.

    `quarantine` are the rejected frames; `no_face` says in how many frames of a clip the detector that checked its landmarks
    found no face.
    """
    reasons: dict[str, Counter[str]] = {}
    for row in quarantine:
        reasons.setdefault(row.clip, Counter())[row.reason] += 1
    rows = {**data.clips("train", 0.0), **data.clips("test", 0.0)}
    found = []
    for clip in data.manifest.clips:
        parts = list(_rejected(clip.frames_read, reasons.get(clip.clip, Counter())))
        if clip.clip in rows:
            parts += _of_landmarks(data, rows[clip.clip])
        if no_face.get(clip.clip):
            count = no_face[clip.clip]
            parts.append((count / clip.frames_read, f"a detector finds no face in {count} of {clip.frames_read} frames"))
        parts.sort(key=lambda part: -part[0])
        found.append(ClipDoubt(clip.clip, sum(share for share, _ in parts), tuple(reason for _, reason in parts)))
    return sorted(found, key=lambda one: (-one.doubt, one.clip))


def doubt_lines(found: Sequence[ClipDoubt]) -> Iterator[str]:
    """The clips to look at first, for the console."""
    doubtful = [one for one in found if one.doubt]
    yield f"{len(doubtful)} of {len(found)} clips are in doubt{', the most doubtful first' if len(doubtful) > 1 else ''}"
    yield from (f"  {one.doubt:>6.1%}  {one.clip}: {'; '.join(one.reasons)}" for one in doubtful[:_MOST_DOUBTFUL])
    if len(doubtful) > _MOST_DOUBTFUL:
        yield f"          and {len(doubtful) - _MOST_DOUBTFUL} clips with less"


def _rejected(frames: int, reasons: Counter[str]) -> Iterator[tuple[float, str]]:
    for reason, count in reasons.most_common():
        yield count / frames, f"{count} of {frames} frames rejected: {reason}"


def _of_landmarks(data: FaceData, rows: NDArray[np.int64]) -> Iterator[tuple[float, str]]:
    """What the landmarks that were kept say, in pixels of the source."""
    points, boxes, frames = data.points[rows], np.asarray(data.boxes[rows], np.float64), data.frame[rows]
    zoom = boxes[:, 2] / data.size
    sizes = np.ptp(points, axis=1).max(axis=1) * zoom
    noses = (points[:, NOSE_TIP] + 0.5) * zoom[:, None] + boxes[:, :2]
    steps = np.linalg.norm(np.diff(noses, axis=0), axis=1) / np.maximum(sizes[:-1], 1.0)
    jumps = np.flatnonzero((steps > _FAST) & (np.diff(frames) == 1))
    longest = int(np.diff([-1, *jumps, len(rows) - 1]).max())
    ratio = sizes / max(float(np.median(sizes)), 1.0)
    other, small = int((np.maximum(ratio, 1 / np.maximum(ratio, 1e-6)) > _OTHER_SIZE).sum()), int((sizes < _SMALL).sum())
    of = f"of {len(rows)} frames"
    if len(jumps):
        # Landmarks that leave the face for long jump twice. Which side of a jump is wrong they cannot tell.
        beyond = len(rows) - longest
        yield (
            beyond / len(rows),
            f"the landmarks jump {len(jumps)} times by over {_FAST} of the face's size; {beyond} frames lie beyond",
        )
    if other:
        yield other / len(rows), f"the face is {_OTHER_SIZE} times larger or smaller than usual in {other} {of}"
    if small:
        yield small / len(rows), f"the face is smaller than {_SMALL} pixels in {small} {of}"
