"""Servers of tests: a port for one, and waiting until it answers."""

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_answer(url: str, server: "subprocess.Popen[bytes]", log: Callable[[], str]) -> None:
    """Return when it answers, if only that it wants to know who asks; an AssertionError where it ends or stays silent."""
    assert answers(url, server), f"the server of {url} ended or does not answer: {log()[-2000:]}"


def answers(url: str, server: "subprocess.Popen[bytes]") -> bool:
    """Whether a server answers, if only that it wants to know who asks, before it ends or two minutes have passed."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2)
        except urllib.error.HTTPError as refusal:
            if refusal.code in (401, 403):
                return True
            time.sleep(0.5)
        except OSError:
            time.sleep(0.5)
        else:
            return True
    return False


def listening_addresses(pid: int) -> set[str]:
    """The addresses on which a process and its descendants listen."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    sockets = [socket for process in family for socket in process.net_connections("inet")]
    return {socket.laddr.ip for socket in sockets if socket.status == psutil.CONN_LISTEN}


@contextmanager
def mocked_aws() -> Iterator[str]:
    """The URL of a server in this process that answers as AWS does, with nothing in it."""
    from moto.server import ThreadedMotoServer  # takes a second, which those that need another server do not wait for

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    try:
        # All servers of a process share their objects, also those of a server that was stopped.
        urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST"), timeout=60).close()
        yield url
    finally:
        server.stop()
