"""Unix time for stamps whose differences are used: a jump of the machine's clock does not move it."""

import time
from functools import cache


def steady_unix_time() -> float:
    """Seconds since 1970, by the machine's clock when this process asked first and by its monotonic clock since then.

    Stamps of one process therefore have the right distance from each other. Those of several processes have it as far as their
    machines' clocks were right.
    """
    return _offset() + time.monotonic()


@cache
def _offset() -> float:
    return time.time() - time.monotonic()
