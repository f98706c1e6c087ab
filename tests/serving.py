"""Servers of tests: a port for one, and waiting until it answers."""

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_answer(url: str, server: "subprocess.Popen[bytes]", log: Callable[[], str]) -> None:
    """Return when it answers, if only that it wants to know who asks; an AssertionError where it ends or stays silent."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert server.poll() is None, f"the server of {url} ended: {log()[-2000:]}"
        try:
            urllib.request.urlopen(url, timeout=2)
        except urllib.error.HTTPError as refusal:
            if refusal.code in (401, 403):
                return
            time.sleep(0.5)
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise AssertionError(f"{url} does not answer: {log()[-2000:]}")
