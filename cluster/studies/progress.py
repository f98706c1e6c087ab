"""Keep the console and the experiment tracker up to date while trials run."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cluster.runtime.ticker import every
from cluster.studies.study_store import StudyStore
from cluster.tracking.tracker import Tracker
from facegan.report.progress_line import ProgressLine
from facegan.study.design.plan import Plan

_SYNC_EVERY_SECONDS = 5.0
_LINE_EVERY_SECONDS = 10.0
_LINES_PER_ELAPSED_TIME = 60
"""Lines become rarer as the study gets older, so that the log of many hours stays short."""


@contextmanager
def show_progress(plan: Plan, store: StudyStore, tracker: Callable[[], Tracker]) -> Iterator[None]:
    """While the block runs, print progress lines and sync the tracker from a background thread.

    `tracker` returns the tracker, and may wait until it has started. A sync that fails is printed and tried again at the next
    interval.
    """
    line = ProgressLine(plan, store.folder)
    started = last_time = time.monotonic()
    last_text = ""

    def sync() -> None:
        # A tracker or a bucket that cannot be reached must not end the training. `Tracker.finish` syncs once more and raises.
        try:
            store.pull()
            tracker().sync()
        except Exception as error:
            reason = next(iter(str(error).splitlines()), "")
            print(f"sync failed and is tried again: {type(error).__name__}: {reason}", flush=True)

    def tick() -> None:
        nonlocal last_time, last_text
        sync()
        now = time.monotonic()
        if now - last_time >= max(_LINE_EVERY_SECONDS, (now - started) / _LINES_PER_ELAPSED_TIME):
            last_time, last_text = now, line.text()
            print(last_text, flush=True)

    def end() -> None:
        sync()
        if not last_text.startswith("train    100%"):
            print(line.text(), flush=True)

    with every(_SYNC_EVERY_SECONDS, tick, end):
        yield
