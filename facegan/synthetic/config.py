"""The configuration of the rendered data set, and how its folder is marked. This module imports no OpenCV."""

from dataclasses import dataclass
from pathlib import Path

from facegan.errors import UserError

GENERATOR_VERSION = 2
"""Changes when the same seed renders other pixels."""
MARKER = "synthetic.json"
"""File that is written last into a folder of rendered clips."""


_RANGES = {
    "people": (2, 4_000),  # clips of test people are numbered from 5001
    "test_people": (1, 4_000),
    "frames": (3, 10_000),
    "side": (64, 4_096),
    "seed": (0, 2**32 - 1),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class SyntheticConfig:
    """The rendered substitute for 300VW, used if neither a source nor a data set is named."""

    people: int = 80
    """People to train on, one clip each."""
    test_people: int = 12
    """People to evaluate on, one clip each."""
    frames: int = 24
    """Frames per clip."""
    side: int = 160
    """Height of the rendered video, pixels."""
    seed: int = 0
    """Seed of the people and their motion."""

    def __post_init__(self) -> None:
        """Raise UserError for a value out of its range."""
        for name, (least, most) in _RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise UserError(f"synthetic.{name} is {getattr(self, name)}: from {least} to {most}")


def is_synthetic(folder: Path) -> bool:
    """Whether a folder holds a complete set of rendered clips."""
    return (folder / MARKER).is_file()
