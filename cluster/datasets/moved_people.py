"""People who would change sides between training and test in an existing data set."""

from collections.abc import Iterable

from cluster.datasets.ingest_request import IngestRequest
from facegan.data.ingest.sources import ClipSource
from facegan.data.versions.manifest import Manifest
from facegan.errors import UserError

_EXAMPLES = 3
_SIDES = {"train": "training", "test": "test"}


def check_nobody_moves(manifest: Manifest, clips: Iterable[ClipSource], source: str, request: IngestRequest) -> None:
    """Raise UserError if a person or a clip of a version is on the other side of the split now, unless the request allows it.

    A model that was trained on the version has seen those who move to test.
    """
    names, people, sides = (manifest.clips.texts(column) for column in ("clip", "person", "split"))
    side_of_clip, side_of_person = dict(zip(names, sides, strict=True)), dict(zip(people, sides, strict=True))
    moved = []
    for clip in clips:
        before = side_of_clip.get(clip.clip) or side_of_person.get(clip.person, clip.split)
        if before != clip.split:
            moved.append(f"{clip.person!r} (clip {clip.clip}) from {_SIDES[before]} to {_SIDES[clip.split]}")
    if moved and not request.move_people:
        rest = f"; and {len(moved) - _EXAMPLES} more clips" if len(moved) > _EXAMPLES else ""
        raise UserError(
            f"--source is {source!r}: its split moves person {'; and '.join(moved[:_EXAMPLES])}{rest}; correct the split, or "
            f"allow it with {request.flags}move_people True"
        )
