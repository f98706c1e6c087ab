"""A callable that runs at intervals while a block runs."""

import threading
import time

import pytest

from cluster.runtime.ticker import every


def test_calls_come_from_one_other_thread_until_the_block_ends() -> None:
    threads = list[str]()
    with every(0.02, lambda: threads.append(threading.current_thread().name)):
        time.sleep(0.3)
    calls = len(threads)
    assert 3 <= calls <= 15 and set(threads) == {"ticker_0"} and threading.current_thread().name not in threads
    time.sleep(0.1)
    assert len(threads) == calls


def test_the_last_call_comes_once_after_the_block() -> None:
    events = list[str]()
    with every(60, lambda: events.append("call"), lambda: events.append("last")):
        events.append("block")
    assert events == ["block", "last"]


def test_the_last_call_comes_also_after_a_block_that_raised() -> None:
    events = list[str]()
    with pytest.raises(KeyError), every(60, lambda: None, lambda: events.append("last")):
        raise KeyError("of the block")
    assert events == ["last"]


def test_an_exception_in_the_thread_is_raised_when_the_block_ends() -> None:
    calls = list[int]()

    def fail() -> None:
        calls.append(1)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), every(0.01, fail, lambda: calls.append(2)):
        time.sleep(0.2)
    assert calls == [1], "nothing is called after the exception"
    with pytest.raises(OSError, match="disk full"), every(60, lambda: None, fail):
        pass


def test_the_exception_of_the_block_comes_first() -> None:
    def fail() -> None:
        raise OSError("of the thread")

    def block() -> None:
        with every(0.01, fail):
            time.sleep(0.1)
            raise KeyError("of the block")

    with pytest.raises(KeyError, match="of the block"):
        block()


def test_a_long_interval_does_not_delay_the_end() -> None:
    begin = time.monotonic()
    with every(60, lambda: None):
        pass
    assert time.monotonic() - begin < 5
