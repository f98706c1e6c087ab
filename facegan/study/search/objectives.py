"""What the candidates of a search are compared by: three distances on validation people, of which less is better.

following: |1 - target following|; identity: max(0, 1 - identity kept); image: the face error over that of the copied source.

None of them depends on the weights of the loss. The loss itself would be a trap: a candidate with small weights has the least.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from facegan.metrics.caveats import MAX_COPY_FOLLOWING
from facegan.study.analysis.model_selection import SELECTION

REFERENCE = (1.0, 1.0, 1.0)
"""Reference point of the hypervolume: a copied source, another person, and again a copied source."""
_FOLLOWING, _IDENTITY, _IMAGE = (f"validation/{name}" for name in ("target_following", "identity_kept", "image_distance"))


@dataclass(frozen=True, slots=True)
class Measured:
    """A candidate at one checkpoint."""

    images: int
    distances: tuple[float, float, float]
    """One for each of `facegan.study.design.candidates.OBJECTIVES`; 1 where it could not be measured, which depends on the real
    frames alone."""
    score: float
    """Their compromise, `SELECTION`; less is better."""
    follows: bool
    """Whether it follows the target more than a copied source does, by `MAX_COPY_FOLLOWING`."""


def measured(images: int, values: Mapping[str, float]) -> Measured | None:
    """What the metrics after so many images say of a candidate; None between checkpoints."""
    if SELECTION not in values:
        return None
    following = values.get(_FOLLOWING, 0.0)
    distances = abs(1 - following), max(0.0, 1 - values.get(_IDENTITY, 0.0)), values[_IMAGE]
    return Measured(images, distances, values[SELECTION], following >= MAX_COPY_FOLLOWING)
