"""Make a data set from video clips: one Parquet file of face crops and landmarks per clip, and a manifest.

The source is a folder or s3://bucket/prefix in the 300VW layout, or of videos without annotations (--landmarks dlib). An
existing data set gets the clips that it lacks. Running the same command again continues an interrupted run.
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
    """Folder or s3://bucket/prefix with the clips: <id>/vid.avi and <id>/annot/000001.pts, or <id>.mp4, or <id>/*.png."""
    data: str = ""
    """Data set to make or extend: a folder or s3://bucket/prefix."""
    max_quarantined: float = 0.2
    """Largest share of rejected frames, from 0 to 1. Above it the job fails and writes no new version."""
    replace: bool = False
    """Write a new version even if clips have changed or the data set was made with other settings."""
    landmark_weights: str = ""
    """Folder or s3://bucket/prefix with face-alignment's two files; by default torch's download folder."""
    ingest: Annotated[IngestConfig, tyro.conf.arg(name="")] = field(default_factory=IngestConfig)


def main(args: Ingest) -> None:
    """Check the arguments, then ingest."""
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
