"""Clips -> a data set: one Ray task a clip, then the manifest that makes the files one data set."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray

from cluster.runtime import start_ray
from facegan.config import UserError
from facegan.data.shards import MANIFEST, ClipRecord, IngestConfig, read_manifest, write_clip, write_manifest
from facegan.data.synthetic import is_synthetic
from facegan.data.vw300 import ClipSource, find_clips, fingerprint

_LINE_EVERY_SECONDS = 5.0


def existing_data(folder: Path, config: IngestConfig, source: Path) -> dict[str, Any] | None:
    """The manifest of a data set that is already there, or None; one made in another way is refused."""
    if not (folder / MANIFEST).exists():
        return None
    manifest = read_manifest(folder)
    made = IngestConfig(**manifest["ingest"])
    if made != config or manifest["source"] != str(source.resolve()):
        raise UserError(
            f"--data is {str(folder)!r}: it was made from {manifest['source']} with {made}; "
            f"for {source} with {config} name another folder"
        )
    if manifest["source_fingerprint"] != fingerprint(find_clips(source)):
        raise UserError(f"--data is {str(folder)!r}: {source} has changed since it was ingested; name another folder")
    return manifest


def ingest(source: Path, folder: Path, config: IngestConfig) -> dict[str, Any]:
    """Write the data set of a 300VW folder unless it is there. Says its progress, returns the manifest."""
    found = existing_data(folder, config, source)
    if found is not None:
        print(f"data     {folder}: {found['rows']} frames are there already", flush=True)
        return found
    clips = find_clips(source)
    state = fingerprint(clips)
    start_ray()
    folder.mkdir(parents=True, exist_ok=True)
    records = list(_follow(_run(clips, folder, config), len(clips)))
    if not any(record.rows for record in records):
        raise UserError(f"--source is {str(source)!r}: no frame could be used; first reason: {records[0].left_out[0].reason}")
    origin = {"source": str(source.resolve()), "fingerprint": state}
    manifest = write_manifest(folder, records, config, synthetic=is_synthetic(source), **origin)
    print(
        f"data     {folder}: {manifest['rows']} frames of {len(records)} clips, {manifest['left_out']} left out",
        flush=True,
    )
    for reason, count in left_out_by_reason(manifest).items():
        print(f"         left out: {count} x {reason} (each is listed in {MANIFEST})", flush=True)
    return manifest


def left_out_by_reason(manifest: dict[str, Any]) -> dict[str, int]:
    """How many frames and clips were left out for each reason."""
    counts: dict[str, int] = {}
    for clip in manifest["clips"]:
        for row in clip["left_out"]:
            counts[row["reason"]] = counts.get(row["reason"], 0) + 1
    return counts


def _run(clips: list[ClipSource], folder: Path, config: IngestConfig) -> Iterator[ClipRecord]:
    task = ray.remote(num_cpus=1)(_one_clip)
    waiting = [task.remote(clip, folder.resolve(), config) for clip in clips]
    while waiting:
        done, waiting = ray.wait(waiting)
        yield from ray.get(done)


def _one_clip(clip: ClipSource, folder: Path, config: IngestConfig) -> ClipRecord:
    import cv2

    # Ray runs a task a core; OpenCV's own threads would only fight them.
    cv2.setNumThreads(1)
    return write_clip(clip, folder, config)


def _follow(records: Iterator[ClipRecord], clips: int) -> Iterator[ClipRecord]:
    started = said = time.monotonic()
    frames = 0
    for done, record in enumerate(records, 1):
        frames += record.rows
        now = time.monotonic()
        if now - said > _LINE_EVERY_SECONDS or done == clips:
            said, rate = now, frames / (now - started)
            left = (clips - done) * (now - started) / done
            print(f"ingest   {done}/{clips} clips, {frames} frames, {rate:.0f} frames/s, ETA {left:.0f} s", flush=True)
        yield record
