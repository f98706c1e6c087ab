"""Turn clips into a data set: a Parquet file of face crops and landmarks a clip, and a manifest.

The source is a folder or s3://bucket/prefix in the 300VW layout, or of videos without annotations (--landmarks dlib). A data
set that is there is extended by the clips that it lacks; a run that was killed is simply run again.
"""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from cluster.cli.command_line import run_job
from cluster.datasets.ingest import IngestRequest, ingest
from cluster.storage.uri import storage_uri
from facegan.data.ingest_config import IngestConfig
from facegan.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Ingest:
    """Arguments of jobs/ingest.py."""

    source: str = ""
    """A folder or s3://bucket/prefix: <id>/vid.avi and <id>/annot/000001.pts, or <id>.mp4, <id>/*.png."""
    data: str = ""
    """Where to make or extend the data set: a folder or s3://bucket/prefix."""
    max_quarantined: float = 0.2
    """TrialResources of bad frames above which the job fails and makes no version."""
    replace: bool = False
    """Make a new version also where clips have changed or were ingested in another way."""
    landmark_weights: str = ""
    """Folder or s3://bucket/prefix with face-alignment's two files; by default where torch keeps its downloads."""
    ingest: Annotated[IngestConfig, tyro.conf.arg(name="")] = field(default_factory=IngestConfig)


def main(args: Ingest) -> None:
    """Refuse what is missing, then ingest."""
    for name in ("source", "data"):
        if not getattr(args, name):
            raise UserError(f"--{name} is missing: name a folder or s3://bucket/prefix")
    if not 0 <= args.max_quarantined <= 1:
        raise UserError(f"--max_quarantined is {args.max_quarantined}: a share of the frames, between 0 and 1")
    request = IngestRequest(
        config=args.ingest, max_quarantined=args.max_quarantined, replace=args.replace, landmark_weights=args.landmark_weights
    )
    ingest(storage_uri("--source", args.source), storage_uri("--data", args.data), request)


if __name__ == "__main__":
    run_job(main, Ingest, __doc__)
