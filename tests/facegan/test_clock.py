"""Stamps of a process whose machine's clock is set forwards and back."""

import time

import pytest

from facegan import clock


def test_a_jump_of_the_clock_moves_no_stamp(monkeypatch: pytest.MonkeyPatch) -> None:
    first, began = clock.steady_unix_time(), time.monotonic()
    assert abs(first - time.time()) < 10**6
    for jump in (3600.0, -3600.0):
        monkeypatch.setattr(time, "time", lambda jump=jump: first + jump)
        later = clock.steady_unix_time()
        assert 0 <= later - first <= time.monotonic() - began + 1e-3
