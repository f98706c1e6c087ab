"""The console's line while clips are ingested: clips, frames, frames a second and the time that is left."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cluster.runtime.ticker import every
from facegan.data.clip_record import ClipProgress, ClipRecord
from facegan.data.sources import ClipSource
from facegan.report.formatting import duration

_LINE_EVERY_SECONDS = 5.0
_TELLING = 0.005
"""TrialResources of the bytes from which on a rate tells when the rest will be done."""


@contextmanager
def following(clips: list[ClipSource]) -> Iterator[Callable[[ClipProgress | ClipRecord], None]]:
    """Print a line every few seconds and at the end; give it each step of each clip."""
    board = _Board(clips)
    with every(_LINE_EVERY_SECONDS, board.say):
        yield board.step
    board.say()


class _Board:
    """What is known, weighted by the bytes of the clips' files: they are known before any frame is."""

    def __init__(self, clips: list[ClipSource]) -> None:
        self._bytes = {clip.clip: max(1, sum(file.size for file in clip.files)) for clip in clips}
        self._frames: dict[str, int] = {}
        self._share: dict[str, float] = {}
        self._done = 0
        self._started = time.monotonic()

    def step(self, step: ClipProgress | ClipRecord) -> None:
        done = isinstance(step, ClipRecord)
        self._done += done
        self._frames[step.clip] = step.frames_read if isinstance(step, ClipRecord) else step.frames
        self._share[step.clip] = 1.0 if isinstance(step, ClipRecord) else min(1.0, step.frames / max(step.claimed, 1))

    def say(self) -> None:
        frames, seconds = sum(list(self._frames.values())), max(time.monotonic() - self._started, 1e-9)
        share = sum(self._bytes[clip] * part for clip, part in list(self._share.items())) / sum(self._bytes.values())
        left = duration(seconds / share - seconds) if share > _TELLING else "unknown"
        clips = f"{self._done}/{len(self._bytes)} clips"
        print(f"ingest   {clips}, {frames} frames, {frames / seconds:.0f} frames/s, ETA {left}", flush=True)
