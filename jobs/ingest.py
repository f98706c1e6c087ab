"""Make a data set from video clips: one Parquet file of face crops and landmarks per clip, and a manifest.

The source is a folder or s3://bucket/prefix in the 300VW layout, or of videos without annotations (--landmarks dlib). An
existing data set gets the clips that it lacks. Running the same command again continues an interrupted run.

--verify True checks the files of a data set, --repair True makes those anew that are broken, --remove CLIP deletes a clip, and
--versions lists or deletes old versions.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro

from cluster.cli.command_line import run_job
from cluster.datasets.ingest import ingest
from cluster.datasets.ingest_request import IngestRequest
from cluster.datasets.remove import remove_clip
from cluster.datasets.verify import verify
from cluster.datasets.versions import list_versions, prune_versions
from cluster.storage.uri import storage_uri
from facegan.data.ingest.ingest_config import IngestConfig
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
    move_people: bool = False
    """Allow a person of the data set to move between training and test, as the split of --source now says."""
    verify: bool = False
    """Only check that every file of the data set's newest version is what was ingested: each bad one is named, exit code 2."""
    repair: bool = False
    """Make the clips of --source anew whose files are broken. A manifest that cannot be read is replaced by a new version."""
    remove: str = ""
    """Remove this clip from the data set for good: a new version lacks it, and its files and local copies are deleted."""
    versions: Literal["", "list", "prune"] = ""
    """list: only print the versions of the data set; prune: delete all but the newest, with the files that only they have."""
    landmark_weights: str = ""
    """Folder or s3://bucket/prefix with face-alignment's two files; by default torch's download folder."""
    ingest: Annotated[IngestConfig, tyro.conf.arg(name="")] = field(default_factory=IngestConfig)


def main(args: Ingest) -> None:
    """Check the arguments, then ingest."""
    if _of_data(args):
        _work_on_data(args)
        return
    for name in ("source", "data"):
        if not getattr(args, name):
            raise UserError(f"--{name} is missing: name a folder or s3://bucket/prefix")
    request = IngestRequest(
        config=args.ingest,
        max_quarantined=args.max_quarantined,
        replace=args.replace,
        repair=args.repair,
        move_people=args.move_people,
        landmark_weights=args.landmark_weights,
    )
    data = storage_uri("--data", args.data)
    ingest(storage_uri("--source", args.source), data, request)
    if args.repair:
        verify(data)  # clips of other sources may be broken too


def _of_data(args: Ingest) -> list[str]:
    """The flags that are given of those that work on a data set alone."""
    given = {"--verify True": args.verify, f"--remove {args.remove}": args.remove, f"--versions {args.versions}": args.versions}
    return [flag for flag, is_given in given.items() if is_given]


def _work_on_data(args: Ingest) -> None:
    given = _of_data(args)
    others = {"--source": args.source, "--repair True": args.repair, "--replace True": args.replace}
    others_given = [*given[1:], *(flag for flag, is_given in others.items() if is_given)]
    if others_given:
        raise UserError(f"{given[0]} works on --data alone: leave {' and '.join(others_given)} out")
    if not args.data:
        raise UserError("--data is missing: name a data set, a folder or s3://bucket/prefix")
    data = storage_uri("--data", args.data)
    if args.verify:
        verify(data)
    elif args.remove:
        remove_clip(data, args.remove)
    elif args.versions == "list":
        list_versions(data)
    else:
        prune_versions(data)


if __name__ == "__main__":
    run_job(main, Ingest, __doc__, continues=lambda args: not _of_data(args))
