"""What finds landmarks in frames, and the mapping of all finders by name.

`FINDERS` gives the choices of `IngestConfig.landmarks`, of `EvaluatorsConfig.landmarks` and of their flags. This module imports
no detector before one is built, so that a wrong flag is refused at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

FinderName = Literal["dlib", "face-alignment"]
CheckName = Literal["none", "dlib"]
"""What gives a second opinion on annotations (`facegan.landmarks.dlib_check`)."""

DISAGREES = "a detector finds the face elsewhere"
NO_FACE_NEAR = "a detector finds no face near the landmarks"


class LandmarkFinder(Protocol):
    """Finds the landmarks of a clip's face in consecutive frames."""

    name: str
    batch: int
    """Number of frames to pass to `find` at once."""

    def sha256(self) -> str:
        """The hash, or the start of it, of each file of weights; it names the finder in results."""

    def restart(self) -> None:
        """Forget the face: the next frame is of another clip."""

    def find(self, images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32] | str]:
        """Points [68, 2] in pixels of each BGR image [height, width, 3], or the reason why it has none."""


@dataclass(frozen=True, slots=True)
class FinderEntry:
    """How to build a finder for a device ('cpu' or 'cuda') and a folder of weights (None: the default folder)."""

    build: Callable[[str, Path | None], LandmarkFinder]
    takes_weights: bool
    """Whether the user can name a folder of weights."""
    uses_gpu: bool


def _dlib(device: str, weights: Path | None) -> LandmarkFinder:
    from facegan.landmarks.dlib_finder import dlib_finder

    return dlib_finder()


def _face_alignment(device: str, weights: Path | None) -> LandmarkFinder:
    from facegan.landmarks.face_alignment_finder import face_alignment_finder

    return face_alignment_finder(device, weights)


FINDERS: dict[FinderName, FinderEntry] = {
    "dlib": FinderEntry(_dlib, takes_weights=False, uses_gpu=False),
    "face-alignment": FinderEntry(_face_alignment, takes_weights=True, uses_gpu=True),
}
