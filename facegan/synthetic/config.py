"""The configuration of the rendered data set."""

from dataclasses import dataclass

from facegan.errors import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class SyntheticConfig:
    """The rendered stand-in for 300VW, used where no source and no data set is named."""

    people: int = 80
    """Identities to train on, a clip each."""
    test_people: int = 12
    """Identities to judge on."""
    frames: int = 24
    """Frames of a clip."""
    side: int = 160
    """Height of the rendered video, pixels."""
    seed: int = 0
    """Seed of identities and motion."""

    def __post_init__(self) -> None:
        for name, least in (("people", 2), ("test_people", 1), ("frames", 3), ("side", 64)):
            if getattr(self, name) < least:
                raise UserError(f"synthetic.{name} is {getattr(self, name)}: at least {least}")
