"""A mocked AWS, for the tests of every package of infra/."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def moto_server() -> Iterator[str]:
    """The URL of a server in this process that answers as AWS does."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
