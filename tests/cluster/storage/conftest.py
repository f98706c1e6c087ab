"""A fixture of the tests of buckets behind a faulty network."""

from collections.abc import Iterator

import pytest

from tests.cluster.storage.proxy import Proxy, proxy_to
from tests.cluster.storage.s3_environment import s3_client


@pytest.fixture
def proxy(moto: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy with faults in front of the server. Checks ask the server directly."""
    with proxy_to(moto) as between:
        monkeypatch.setenv("AWS_ENDPOINT_URL", between.url)
        yield between
    server = s3_client(endpoint_url=moto)
    assert server.list_multipart_uploads(Bucket="faces").get("Uploads", []) == []
