"""A mocked AWS in this process."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.infra.commands import empty_account


@pytest.fixture(scope="module")
def moto_server() -> Iterator[str]:
    """The URL of a server that plays all of AWS."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto_server: str, tmp_path: Path) -> Iterator[boto3.session.Session]:
    """An account as it is on its first day, for one test."""
    with empty_account(moto_server, tmp_path) as session:
        yield session
