"""Turn a folder in the 300VW layout into a data set: one Parquet file of face crops and landmarks a clip, and a manifest."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from cluster.cli import run_job
from cluster.ingest import ingest
from cluster.inputs import check_local
from facegan.config import UserError
from facegan.data.shards import IngestConfig


@dataclass(frozen=True, kw_only=True)
class Ingest:
    """Arguments of jobs/ingest.py."""

    source: str = ""
    """A folder in the 300VW layout: <id>/vid.avi and <id>/annot/000001.pts."""
    data: str = ""
    """Folder of the data set to make."""
    ingest: Annotated[IngestConfig, tyro.conf.arg(name="")] = field(default_factory=IngestConfig)


def main(args: Ingest) -> None:
    """Refuse what is missing, then ingest."""
    for name in ("source", "data"):
        if not getattr(args, name):
            raise UserError(f"--{name} is missing: name a folder")
    ingest(check_local("--source", args.source), check_local("--data", args.data), args.ingest)


if __name__ == "__main__":
    run_job(main, Ingest, __doc__)
