"""The progress of an ingest on the console: clips, frames, frames per second and the remaining time."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cluster.runtime.ticker import every
from facegan.data.ingest.clip_record import ClipProgress, ClipRecord
from facegan.data.ingest.sources import ClipSource
from facegan.report.formatting import duration

_SECONDS_BETWEEN_LINES = 5.0
_MIN_SHARE = 0.005
"""Share of the bytes from which on the remaining time can be estimated."""


@contextmanager
def show_ingest_progress(clips: list[ClipSource]) -> Iterator[Callable[[ClipProgress | ClipRecord], None]]:
    """Print a line every few seconds and at the end. Yields the function to call with each step of each clip."""
    progress = _Progress(clips)
    with every(_SECONDS_BETWEEN_LINES, progress.show):
        yield progress.update
    progress.show()


class _Progress:
    """The state of all clips, weighted by the bytes of their files, which are known before the number of frames is."""

    def __init__(self, clips: list[ClipSource]) -> None:
        self._bytes = {clip.clip: max(1, sum(file.size for file in clip.files)) for clip in clips}
        self._frames: dict[str, int] = {}
        self._share: dict[str, float] = {}
        self._done = 0
        self._started = time.monotonic()

    def update(self, step: ClipProgress | ClipRecord) -> None:
        if isinstance(step, ClipRecord):
            self._done += 1
            self._frames[step.clip], self._share[step.clip] = step.frames_read, 1.0
        else:
            self._frames[step.clip], self._share[step.clip] = step.frames, min(1.0, step.frames / max(step.claimed, 1))

    def show(self) -> None:
        # Copies, since `update` runs in another thread.
        frames, seconds = sum(list(self._frames.values())), max(time.monotonic() - self._started, 1e-9)
        share = sum(self._bytes[clip] * part for clip, part in list(self._share.items())) / sum(self._bytes.values())
        left = duration(seconds / share - seconds) if share > _MIN_SHARE else "unknown"
        clips = f"{self._done}/{len(self._bytes)} clips"
        print(f"ingest   {clips}, {frames} frames, {frames / seconds:.0f} frames/s, ETA {left}", flush=True)
