"""Wait for a server that does not answer, rather than end a study of many hours."""

import time
from collections.abc import Callable
from typing import TypeVar

from cluster.storage.objects import Unreachable

R = TypeVar("R")
_LIMIT_SECONDS, _PAUSE_SECONDS = 3600.0, 5.0


def when_reachable(call: Callable[[], R]) -> R:
    """Call a function until the server answers, for up to an hour; prints a line about waiting, and about its end.

    The function must be one that can be repeated. Raises Unreachable after the hour.
    """
    began, told = time.monotonic(), False
    while True:
        try:
            result = call()
        except Unreachable as error:
            if time.monotonic() - began > _LIMIT_SECONDS:
                raise
            if not told:
                print(f"storage  waiting for it: {error}", flush=True)
                told = True
        else:
            if told:
                print(f"storage  answers again, after {time.monotonic() - began:.0f} s", flush=True)
            return result
        time.sleep(_PAUSE_SECONDS)
