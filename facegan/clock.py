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


class ClockWatch:
    """Notices when the machine's clock is set back."""

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()

    def went_back(self) -> float:
        """By how many seconds the clock went back since the last call; below 0 if it went forward."""
        before, self._ahead = self._ahead, time.time() - time.monotonic()
        return before - self._ahead
