"""The task of one clip: what is there already is left alone, everything else is made and published."""

from typing import Any

import cv2
import torch

from cluster.scratch import scratch
from cluster.source import hash_of, local_root
from cluster.storage import Place
from cluster.weights import stage_landmark_weights
from facegan.data.clip import LandmarkFinder
from facegan.data.manifest import file_key, record_key
from facegan.data.shards import ClipRecord, IngestConfig, clip_key, record_from_json, write_clip
from facegan.data.vw300 import ClipSource
from facegan.memory import keep_freed_memory


def ingest_clip(
    clip: ClipSource, source: Place, data: Place, config: IngestConfig, landmark_weights: str, progress: Any
) -> ClipRecord:
    """The clip's record; its Parquet file is published before it, so that a record always has its file."""
    digest = hash_of(clip, source)
    key = clip_key(clip, digest, config)
    found = finished(data, key)
    if found is not None:
        return found
    # Ray runs a task a core; OpenCV's own threads would only fight them.
    cv2.setNumThreads(1)
    # A frame's memory is taken and given back a frame: from the system that costs a page fault each 4 KiB.
    keep_freed_memory()
    with scratch() as folder:
        root = local_root(clip, source, folder / "source")
        finder = finder_of(config, landmark_weights)

        def on_frames(done: int, claimed: int) -> None:
            progress.update.remote(clip.clip, done, claimed)

        record = write_clip(clip, root, folder, config, digest, finder, on_frames)
        if record.rows:
            data.upload(file_key(key), folder / f"{key}.parquet", sha256=record.sha256)
        data.write(record_key(key), record.to_json())
    return record


def finished(data: Place, key: str) -> ClipRecord | None:
    """The record of a clip that is done: it reads, and its file is there in its size."""
    try:
        record = record_from_json(data.read(record_key(key)))
    except (FileNotFoundError, ValueError):
        return None
    sizes = {entry.key: entry.size for entry in data.entries(file_key(key))}
    return record if not record.rows or sizes.get(file_key(key)) == record.file_bytes else None


def finder_of(config: IngestConfig, weights: str) -> LandmarkFinder | None:
    """What finds the landmarks; None where .pts files tell them."""
    if config.landmarks == "annotations":
        return None
    torch.set_num_threads(1)
    from facegan.data.detect import DlibFinder, FaceAlignmentFinder  # heavy, and needed for plain videos only

    if config.landmarks == "dlib":
        return DlibFinder()
    folder = stage_landmark_weights(weights) if weights else None
    return FaceAlignmentFinder("cuda" if torch.cuda.is_available() else "cpu", folder)
