"""How to ingest: what the flags of a job say about it."""

from dataclasses import dataclass

from facegan.data.ingest_config import IngestConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestRequest:
    """How to ingest.

    `max_quarantined` is the share of bad frames, in [0, 1], above which the job fails. `replace` allows a new version in which
    clips changed or were ingested with another configuration. `repair` does clips anew whose files are broken, and replaces a
    manifest that cannot be read. `landmark_weights` is a folder or URI, or '' for the default.
    """

    config: IngestConfig
    max_quarantined: float = 0.2
    replace: bool = False
    repair: bool = False
    landmark_weights: str = ""
