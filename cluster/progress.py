"""The console's line while clips are ingested: clips, frames, frames a second and the time that is left."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray.exceptions import RayError

from facegan.data.shards import ClipRecord
from facegan.data.vw300 import ClipSource

_LINE_EVERY_SECONDS = 5.0


@contextmanager
def following(progress: Any, clips: list[ClipSource]) -> Iterator[Callable[[ClipRecord], None]]:
    """Print a line every few seconds; give it each clip's record when it is done."""
    board = _Board(clips)
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(_LINE_EVERY_SECONDS):
            try:
                board.under_way = dict(ray.get(progress.read.remote(), timeout=_LINE_EVERY_SECONDS))
            except RayError:
                continue  # a busy cluster: the line shows what was known last
            board.say()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield board.done
        board.say()
    finally:
        ended.set()
        thread.join()


class _Board:
    """What is known, weighted by the bytes of the clips' files: they are known before any frame is."""

    def __init__(self, clips: list[ClipSource]) -> None:
        self._bytes = {clip.clip: max(1, sum(file.size for file in clip.files)) for clip in clips}
        self._records: dict[str, ClipRecord] = {}
        self._started = time.monotonic()
        self.under_way: dict[str, tuple[int, float]] = {}

    def done(self, record: ClipRecord) -> None:
        self._records[record.clip] = record

    def say(self) -> None:
        running = {clip: now for clip, now in self.under_way.items() if clip not in self._records}
        frames = sum(r.frames_read for r in self._records.values()) + sum(frames for frames, _ in running.values())
        finished = sum(self._bytes[clip] for clip in self._records)
        share = (finished + sum(self._bytes[c] * part for c, (_, part) in running.items())) / sum(self._bytes.values())
        seconds = time.monotonic() - self._started
        left = f"{seconds / share - seconds:.0f} s" if share else "unknown"
        done, of, rate = len(self._records), len(self._bytes), frames / max(seconds, 1e-9)
        print(f"ingest   {done}/{of} clips, {frames} frames, {rate:.0f} frames/s, ETA {left}", flush=True)
