"""How to ingest: what the flags of a job say about it."""

from dataclasses import dataclass

from cluster.storage.uri import storage_uri
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.errors import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestRequest:
    """How to ingest.

    `max_quarantined` is the share of bad frames, and of refused clips, in [0, 1], above which the job fails. `replace` allows a
    new version in which clips changed or were ingested with another configuration. `repair` does clips anew whose files are
    broken, and replaces a manifest that cannot be read. `move_people` allows people to move between training and test.
    `landmark_weights` is a folder or URI, or '' for the default. `flags` is what the job's flags for these values begin with.
    Raises UserError for a value out of range.
    """

    config: IngestConfig
    max_quarantined: float = 0.2
    replace: bool = False
    repair: bool = False
    move_people: bool = False
    landmark_weights: str = ""
    flags: str = "--"

    def __post_init__(self) -> None:
        if not 0 <= self.max_quarantined <= 1:
            flag = f"{self.flags}max_quarantined"
            raise UserError(f"{flag} is {self.max_quarantined}: a share of the frames, between 0 and 1")
        if self.landmark_weights:
            storage_uri(f"{self.flags}landmark_weights", self.landmark_weights)
