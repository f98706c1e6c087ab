"""Ingest in one process and create a file when the work begins, for a test that kills it at random moments."""

import tempfile
from pathlib import Path

from cluster.datasets.ingest_request import IngestRequest
from cluster.datasets.ingest_task import ingest_clip
from cluster.datasets.publish import publish
from cluster.datasets.source import clips_of
from cluster.storage.leftovers import sweep_partials
from cluster.storage.uri import StorageURI
from facegan.data.ingest.clip_record import ClipRecord
from facegan.data.ingest.ingest_config import IngestConfig


def ingest_alone(clips: Path, folder: Path, started: Path) -> None:
    """The same as cluster.datasets.ingest without Ray, whose start takes longer than the ingest of a few small clips."""
    source, data = StorageURI(str(clips)), StorageURI(str(folder))
    request = IngestRequest(config=IngestConfig(size=32))
    found = clips_of(source)
    with tempfile.TemporaryDirectory() as elsewhere:
        # The first clip loads modules for longer than all seven clips take; the kills should hit the ingest itself.
        list(ingest_clip(found.clips[0], source, StorageURI(elsewhere), request.config, ""))
    started.touch()
    sweep_partials(data)
    steps = [step for clip in found.clips for step in ingest_clip(clip, source, data, request.config, "")]
    records = [step for step in steps if isinstance(step, ClipRecord)]
    publish(records, found, source, data, request)
