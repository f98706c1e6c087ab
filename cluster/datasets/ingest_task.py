"""The Ray task that ingests one clip, unless its files are on storage already."""

import errno
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import torch

from cluster.datasets.source import local_root
from cluster.runtime.device import assigned_device
from cluster.storage.scratch import scratch
from cluster.storage.uri import StorageURI
from cluster.storage.weights import stage_landmark_weights
from facegan.data.ingest.clip_record import (
    ClipProgress,
    ClipRecord,
    clip_key,
    downloaded_key,
    file_key,
    record_from_json,
    record_key,
)
from facegan.data.ingest.cross_check import Check
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.shards import writing_clip
from facegan.data.ingest.sources import ClipSource, content_hash
from facegan.errors import UserError
from facegan.landmarks.finder import FINDERS, LandmarkFinder
from facegan.training.memory import keep_freed_memory

_SECONDS_BETWEEN_REPORTS = 2.0
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def ingest_clip(
    clip: ClipSource, source: StorageURI, data: StorageURI, config: IngestConfig, landmark_weights: str
) -> Iterator[ClipProgress | ClipRecord]:
    """Ingest a clip of `source` into `data`; yield its progress every few seconds and its record at the end.

    The record is written after the Parquet file, so a record always has its file.
    """
    # Ray runs one task per core, so threads of OpenCV would only compete with them.
    cv2.setNumThreads(1)
    # Each frame's memory is freed and allocated again; asking the system for it costs a page fault per 4 KiB.
    keep_freed_memory()
    with scratch() as folder, _full_disk_named(folder.parent):
        source_sha256 = _hash_of_before(clip, source, data)
        found = finished(data, clip_key(clip, source_sha256, config)) if source_sha256 else None
        if found is None:
            root = local_root(clip, source, folder / "source")
            source_sha256 = content_hash(clip, root)
            found = finished(data, clip_key(clip, source_sha256, config))
            _remember_hash(clip, source, data, source_sha256)
        if found is not None:
            yield found
            return
        key = clip_key(clip, source_sha256, config)
        finder = finder_of(config, landmark_weights)
        reported = time.monotonic()
        for step in writing_clip(clip, root, folder, config, source_sha256, finder, check_of(config)):
            if isinstance(step, ClipRecord):
                _publish(step, folder / f"{key}.parquet", data)
                yield step
            elif time.monotonic() - reported > _SECONDS_BETWEEN_REPORTS:
                reported = time.monotonic()
                yield step


@contextmanager
def _full_disk_named(home: Path) -> Iterator[None]:
    """Name the folder of unfinished work where an error says that a disk is full, but not which, as Apache Arrow's does."""
    try:
        yield
    except OSError as error:
        if error.filename or error.errno not in _FULL:
            raise
        raise UserError(
            f"{home}: {os.strerror(error.errno)}; make room there, or name another disk with the environment variable "
            "FACEGAN_CACHE"
        ) from None


def _hash_of_before(clip: ClipSource, source: StorageURI, data: StorageURI) -> str:
    """The content's hash of a clip in a bucket that was downloaded before and has the same ETags now; '' if there is none."""
    if not source.is_remote:
        return ""
    try:
        content = data.read(downloaded_key(clip)).decode("ascii", "replace")
    except FileNotFoundError:
        return ""
    return content if re.fullmatch("[0-9a-f]{64}", content) else ""


def _remember_hash(clip: ClipSource, source: StorageURI, data: StorageURI, sha256: str) -> None:
    """Keep the hash of a clip in a bucket, so that a job that is run again need not download what is done."""
    if source.is_remote:
        data.write(downloaded_key(clip), sha256.encode())


def _publish(record: ClipRecord, parquet: Path, data: StorageURI) -> None:
    if record.rows:
        data.upload(file_key(record.key), parquet, sha256=record.sha256)
    data.write(record_key(record.key), record.to_json())


def finished(data: StorageURI, key: str) -> ClipRecord | None:
    """The record of a clip that is done; None if there is none, or if it or its Parquet file is not what was written."""
    try:
        content = data.read(record_key(key))
    except FileNotFoundError:
        return None
    try:
        record = record_from_json(content, record_key(key), "it is written again")
    except UserError:
        return None
    if record.key != key:
        return None
    if record.rows:
        found = {entry.key: entry for entry in data.entries(file_key(key))}.get(file_key(key))
        # The size alone would publish a file again in which a bit has flipped.
        if found is None or found.size != record.file_bytes or data.sha256(found) != record.sha256:
            return None
    return record


def finder_of(config: IngestConfig, weights: str) -> LandmarkFinder | None:
    """The landmark finder of a configuration; None where landmarks come from .pts files. `weights`: folder, URI or ''."""
    if config.landmarks == "annotations":
        return None
    torch.set_num_threads(1)
    entry = FINDERS[config.landmarks]
    folder = stage_landmark_weights(weights) if weights and entry.takes_weights else None
    return entry.build(assigned_device().type, folder)


def check_of(config: IngestConfig) -> Check | None:
    """The detector that checks annotations; None if none does."""
    if config.check_landmarks == "none":
        return None
    from facegan.landmarks.dlib_check import dlib_check  # loads 100 MB, which is not needed otherwise

    return dlib_check()
