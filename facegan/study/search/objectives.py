"""What the candidates of a search are compared by: three distances on validation people, of which less is better.

None of them depends on the weights of the loss. The loss itself would be a trap: a candidate with small weights has the least.
"""

from dataclasses import dataclass

from facegan.metrics.caveats import MAX_COPY_FOLLOWING
from facegan.study.analysis.model_selection import SELECTION
from facegan.study.folder.trial_folder import MetricsRow

OBJECTIVES = ("following", "identity", "image")
"""|1 - target following|, max(0, 1 - identity kept), and the face error over that of the copied source."""
REFERENCE = (1.0, 1.0, 1.0)
"""Reference point of the hypervolume: a copied source, another person, and again a copied source."""
_FOLLOWING, _IDENTITY, _IMAGE = (f"validation/{name}" for name in ("target_following", "identity_kept", "image_distance"))


@dataclass(frozen=True, slots=True)
class Measured:
    """A candidate at one checkpoint."""

    images: int
    distances: tuple[float, float, float]
    """One for each of `OBJECTIVES`; 1 where it could not be measured, which depends on the real frames alone."""
    score: float
    """Their compromise, `SELECTION`; less is better."""
    is_copy: bool
    """Whether it follows as little as a copied source does."""


def measured(row: MetricsRow) -> Measured | None:
    """What a row of metrics says of a candidate; None between checkpoints."""
    values = row.metrics
    if SELECTION not in values:
        return None
    following = values.get(_FOLLOWING, 0.0)
    distances = abs(1 - following), max(0.0, 1 - values.get(_IDENTITY, 0.0)), values[_IMAGE]
    return Measured(row.images, distances, values[SELECTION], following < MAX_COPY_FOLLOWING)
