"""What finds landmarks in the frames of a clip."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class LandmarkFinder(Protocol):
    """Finds the clip's face in consecutive frames."""

    batch: int
    """How many frames it likes at once."""

    def restart(self) -> None:
        """Another clip begins: forget the face."""

    def find(self, images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32] | str]:
        """Points [68, 2] of each BGR image, or the reason why it has none."""
