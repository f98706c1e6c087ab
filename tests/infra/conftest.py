"""A mocked AWS in this process, with an account as it is on its first day; and the owner's home folder, empty."""

import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.cluster.s3_environment import s3_environment
from tests.infra.images import make_images


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
def aws(moto_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.session.Session]:
    """The account, empty; the environment names it, and HOME is a folder of the test."""
    urllib.request.urlopen(urllib.request.Request(f"{moto_server}/moto-api/reset", method="POST"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with s3_environment(moto_server):
        session = boto3.session.Session(region_name=os.environ["AWS_DEFAULT_REGION"])
        make_images(session)
        yield session
