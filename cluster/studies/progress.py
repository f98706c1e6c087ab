"""Keep the console and the experiment tracker up to date while trials run."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cluster.runtime.ticker import every
from cluster.studies.study_store import StudyStore
from facegan.clock import ClockWatch
from facegan.errors import UserError
from facegan.report.formatting import duration
from facegan.report.progress_line import ProgressLine
from facegan.study.design.plan import Plan

_SYNC_EVERY_SECONDS = 5.0
_LINE_EVERY_SECONDS = 10.0
_BACK_SECONDS = 60.0
"""Smaller corrections of the clock cost less than the start of a worker."""
_LINES_PER_ELAPSED_TIME = 60
"""Lines become rarer as the study gets older, so that the log of many hours stays short."""


@contextmanager
def show_progress(plan: Plan, store: StudyStore, sync: Callable[[], None]) -> Iterator[None]:
    """While the block runs, print progress lines, and call `sync`, which updates the tracker, in another thread.

    A sync that fails does not end the study. Its reason is printed once, and that it succeeds again too.
    """
    line, clock = ProgressLine(plan, store.folder), ClockWatch()
    started = last_time = time.monotonic()
    last_text = failed = ""

    def send() -> None:
        nonlocal failed
        # A tracker or a bucket that cannot be reached must not end the training. What was not sent is sent with the next sync.
        try:
            store.pull()
            sync()
        except Exception as error:
            reason = next(iter(str(error).splitlines()), "")
            reason = reason if isinstance(error, UserError) else f"{type(error).__name__}: {reason}"
            if reason != failed:
                print(f"sync     not sent yet, training goes on: {reason}", flush=True)
            failed = reason
        else:
            if failed:
                print("sync     sent again, with all that was missing", flush=True)
            failed = ""

    def tick() -> None:
        nonlocal last_time, last_text
        now = time.monotonic()
        if (back := clock.went_back()) > _BACK_SECONDS:
            # Timers of Ray's processes go by this clock, such as the one that places a worker.
            print(
                f"clock    it went back by {duration(back)}: Ray may start no worker for so long; if nothing goes on, "
                "stop this job and run the same command again",
                flush=True,
            )
        if now - last_time >= max(_LINE_EVERY_SECONDS, (now - started) / _LINES_PER_ELAPSED_TIME):
            last_time, last_text = now, line.text()
            print(last_text, flush=True)

    def end() -> None:
        if not ProgressLine.is_over(last_text):
            print(line.text(), flush=True)

    # Lines do not wait for a sync, which can take long.
    with every(_LINE_EVERY_SECONDS / 4, tick, end), every(_SYNC_EVERY_SECONDS, send, send):
        yield
