"""The task of one clip: what is there already is left alone, everything else is made and published."""

import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import torch

from cluster.datasets.source import hash_of, local_root
from cluster.runtime.device import assigned_device
from cluster.storage.scratch import scratch
from cluster.storage.uri import StorageURI
from cluster.storage.weights import stage_landmark_weights
from facegan.data.clip_record import ClipProgress, ClipRecord, clip_key, file_key, record_from_json, record_key
from facegan.data.ingest_config import IngestConfig
from facegan.data.shards import writing_clip
from facegan.data.sources import ClipSource
from facegan.errors import UserError
from facegan.landmarks.finder import FINDERS, LandmarkFinder
from facegan.memory import keep_freed_memory

_STEP_EVERY_SECONDS = 2.0


def ingest_clip(
    clip: ClipSource, source: StorageURI, data: StorageURI, config: IngestConfig, landmark_weights: str
) -> Iterator[ClipProgress | ClipRecord]:
    """How far it is, now and then, and at last the clip's record.

    The Parquet file is published before the record, so that a record always has its file.
    """
    digest = hash_of(clip, source)
    key = clip_key(clip, digest, config)
    found = finished(data, key)
    if found is not None:
        yield found
        return
    # Ray runs a task a core; OpenCV's own threads would only fight them.
    cv2.setNumThreads(1)
    # A frame's memory is taken and given back a frame: from the system that costs a page fault each 4 KiB.
    keep_freed_memory()
    with scratch() as folder:
        root = local_root(clip, source, folder / "source")
        for step in _now_and_then(writing_clip(clip, root, folder, config, digest, finder_of(config, landmark_weights))):
            if isinstance(step, ClipRecord):
                _publish(step, folder / f"{key}.parquet", data)
            yield step


def _publish(record: ClipRecord, parquet: Path, data: StorageURI) -> None:
    if record.rows:
        data.upload(file_key(record.key), parquet, sha256=record.sha256)
    data.write(record_key(record.key), record.to_json())


def _now_and_then(steps: Iterator[ClipProgress | ClipRecord]) -> Iterator[ClipProgress | ClipRecord]:
    """The record, and of the progress no more than the console can show."""
    said = time.monotonic()
    for step in steps:
        if isinstance(step, ClipRecord) or time.monotonic() - said > _STEP_EVERY_SECONDS:
            said = time.monotonic()
            yield step


def finished(data: StorageURI, key: str) -> ClipRecord | None:
    """The record of a clip that is done: it reads, and its file is there in its size."""
    try:
        content = data.read(record_key(key))
    except FileNotFoundError:
        return None
    try:
        record = record_from_json(content, record_key(key))
    except UserError:
        return None  # damaged: it is made again
    sizes = {entry.key: entry.size for entry in data.entries(file_key(key))}
    return record if not record.rows or sizes.get(file_key(key)) == record.file_bytes else None


def finder_of(config: IngestConfig, weights: str) -> LandmarkFinder | None:
    """The landmark finder of a configuration; None where landmarks come from .pts files. `weights`: folder, URI or ''."""
    if config.landmarks == "annotations":
        return None
    torch.set_num_threads(1)
    entry = FINDERS[config.landmarks]
    folder = stage_landmark_weights(weights) if weights and entry.takes_weights else None
    return entry.build(assigned_device().type, folder)
