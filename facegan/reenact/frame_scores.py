"""Following and identity of each frame and arm, by the study's evaluators and its two formulas (`facegan.metrics.plane`).

A study has the real target of each image: another frame of the same person. Here the motion is another person's, so that

- following compares the landmarks found in the drawn image with those found in the source, moved by the motion that was
  asked for (target minus source landmarks): 0 is the source copied, 1 the asked motion
- identity compares the drawn face with a second frame of the person, 1 being the source itself and 0 the driving person in
  this frame. Of one photo there is no second frame; the photo takes its place, so that only a copy reaches 1

All frames of a clip are one group. So the value of a frame is its part of the clip's ratio: in a frame that hardly moves,
following is close to 0 whatever is drawn, and the mean over the frames is what the clip followed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from facegan.inference import Images
from facegan.metrics.evaluators import Evaluators
from facegan.metrics.faces import Faces, look_at, look_at_each
from facegan.metrics.landmark_scores import normalised_error
from facegan.metrics.plane import cosine, identity_kept, target_following
from facegan.metrics.table import display_name, formatted
from facegan.reenact.source import Source

METRICS = ("target_following", "identity_kept", "identity_to_source", "landmark_error")
"""Columns of the scores; each is a metric of `facegan.metrics.table`."""
DRAWN, HELD = "drawn", "held"
_WHOLE_CLIP = "clip"


@dataclass(slots=True)
class _Seen:
    """What was seen in the drawn images of an arm, by batch."""

    found: list[NDArray[np.float32]] = field(default_factory=list)
    embeddings: list[NDArray[np.float64]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ArmResult:
    """The means of an arm over the drawn frames, None where nothing was measured; `faces` is the share with a face."""

    label: str
    means: dict[str, float | None]
    faces: float


class FrameScores:
    """Collects what the evaluators see, about 2 kB for each frame and arm, and turns it into scores at the end.

    With `one_person` the driving clip shows the source's own person, so that there is nobody to be told apart from.
    """

    def __init__(self, source: Source, arms: Sequence[str], evaluators: Evaluators, *, one_person: bool) -> None:
        self._evaluators, self._one_person, self._points = evaluators, one_person, source.crop.points
        crops = [source.crop.image, (source.second or source.crop).image]
        self._has_second = source.second is not None
        self._source = look_at(np.stack(crops), evaluators)
        self._numbers: list[int] = []
        self._missing: dict[int, str] = {}
        self._wanted: list[NDArray[np.float32]] = []
        self._others: list[NDArray[np.float64]] = []
        self._seen = {label: _Seen() for label in arms}

    def add(self, numbers: Sequence[int], wanted: NDArray[np.float32], driving: Images, drawn: Mapping[str, Images]) -> None:
        """Look at some frames: their numbers [n], target landmarks [n, 68, 2], driving crops and drawn images by arm."""
        self._numbers += numbers
        self._wanted.append(wanted)
        groups = [drawn[label] for label in self._seen]
        faces = look_at_each(groups if self._one_person else [*groups, driving], self._evaluators)
        if not self._one_person:
            self._others.append(faces.pop().embeddings)
        for seen, face in zip(self._seen.values(), faces, strict=True):
            seen.found.append(face.found)
            seen.embeddings.append(face.embeddings)

    def hold(self, number: int, reason: str) -> None:
        """Note a frame that was held."""
        self._missing[number] = reason

    def table(self, rate: float) -> pa.Table:
        """A row for each frame and arm: frame, seconds, arm, state (drawn or held), reason, face_found and the metrics."""
        return pa.concat_tables([self._rows(label, rate) for label in self._seen]).sort_by("frame")

    def results(self) -> list[ArmResult]:
        """The means of each arm."""
        found = []
        for label in self._seen:
            values = self._values(label)
            means = {name: _mean(values[name]) for name in METRICS}
            found.append(ArmResult(label, means, float(np.isfinite(values["landmark_error"]).mean()) if self._numbers else 0.0))
        return found

    def notes(self) -> list[str]:
        """Why a score is missing, and how far apart the two people are that identity is compared with."""
        if not np.isfinite(self._source.found[0]).all():
            return ["nothing is measured: the evaluator finds no face in the source's crop"]
        results = self.results()
        notes = []
        if all(result.means["target_following"] is None for result in results):
            notes.append("target following is not measured: the driving face hardly moves")
        if self._one_person:
            notes.append("identity kept is not measured: the driving clip shows the source's own person")
        elif not np.isfinite(self._source.found[1]).all():
            notes.append("identity kept is not measured: the evaluator finds no face in the second frame of the person")
        elif all(result.means["identity_kept"] is None for result in results):
            notes.append("identity kept is not measured: the evaluator does not tell the driving person from the source's")
        else:
            notes.append(f"identity kept: 1 and 0 are {self._separation():.3f} apart in cosine; the closer, the noisier")
            if not self._has_second:
                notes.append("identity kept: of one photo, so that only the photo itself reaches 1")
        return notes

    def _separation(self) -> float:
        """How much more the source is like the person than the driving person is, in cosine, on the mean over the frames."""
        others = np.concatenate(self._others)
        source, second = (self._repeated(position, len(others)).embeddings for position in (0, 1))
        return float(np.nanmean(cosine(source, second) - cosine(others, second)))

    def _rows(self, label: str, rate: float) -> pa.Table:
        values = self._values(label)
        held = list(self._missing)
        numbers, blank = [*self._numbers, *held], np.full(len(held), np.nan)
        columns = {name: pa.array(np.concatenate([values[name], blank]), from_pandas=True) for name in METRICS}
        is_found = np.isfinite(values["landmark_error"]).tolist()
        return pa.table(
            {
                "frame": pa.array(numbers, pa.int32()),
                "seconds": pa.array([(number - 1) / rate for number in numbers], pa.float64()),
                "arm": pa.array([label] * len(numbers), pa.string()),
                "state": pa.array([DRAWN] * len(self._numbers) + [HELD] * len(held), pa.string()),
                "reason": pa.array([""] * len(self._numbers) + [self._missing[number] for number in held], pa.string()),
                "face_found": pa.array([*is_found, *[None] * len(held)], pa.bool_()),
                **columns,
            }
        )

    def _values(self, label: str) -> dict[str, NDArray[np.float64]]:
        """[n] values of each metric; NaN where one was not measured."""
        seen, count = self._seen[label], len(self._numbers)
        if not count:
            return {name: np.empty(0) for name in METRICS}
        wanted, found, embeddings = np.concatenate(self._wanted), np.concatenate(seen.found), np.concatenate(seen.embeddings)
        group = [_WHOLE_CLIP] * count
        source, second = (self._repeated(position, count) for position in (0, 1))
        target = source.found + (wanted - self._points)
        values = {
            "target_following": target_following(found, source.found, target, group),
            "identity_kept": np.full(count, np.nan),
            "identity_to_source": cosine(embeddings, source.embeddings),
            "landmark_error": normalised_error(found, wanted),
        }
        if not self._one_person:
            others = np.concatenate(self._others)
            values["identity_kept"] = identity_kept(embeddings, source.embeddings, second.embeddings, others, group)
        return values

    def _repeated(self, position: int, count: int) -> Faces:
        return self._source.at(np.full(count, position))


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def result_lines(results: Sequence[ArmResult], drawn: int) -> list[str]:
    """The means over the drawn frames as a table: a row for each arm, under that of the source copied.

    The source copied has 0 and 1 by the formulas themselves, unless identity could not be measured.
    """
    width = max(15, *(len(result.label) for result in results)) + 2
    lines = [" " * width + "".join(f"{display_name(name):>20}" for name in METRICS) + f"{'faces found':>14}{'frames':>9}"]
    identity = all(result.means["identity_kept"] is not None for result in results)
    copied = {"target_following": 0.0, "identity_kept": 1.0 if identity else None, "identity_to_source": 1.0}
    lines.append("source copied".ljust(width) + "".join(f"{formatted(name, copied.get(name)):>20}" for name in METRICS))
    for result in results:
        means = "".join(f"{formatted(name, result.means[name]):>20}" for name in METRICS)
        lines.append(f"{result.label:<{width}}{means}{result.faces:>14.2f}{drawn:>9}")
    return lines
