"""A callable that runs at intervals in a background thread."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def every(seconds: float, call: Callable[[], None], last: Callable[[], None] | None = None) -> Iterator[None]:
    """Run `call` every `seconds` in one background thread while the block runs, and `last` in the same thread when it ends.

    An exception from `call` or `last` ends the thread. It is raised at the end of the block, unless the block itself raised.
    """
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(seconds):
            call()
        if last:
            last()

    with ThreadPoolExecutor(1, "ticker") as pool:
        ticks = pool.submit(tick)
        try:
            yield
        finally:
            ended.set()
        ticks.result()
