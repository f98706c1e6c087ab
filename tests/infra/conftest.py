"""A mocked AWS, for the tests of every package of infra/."""

from collections.abc import Iterator

import pytest

from tests.serving import mocked_aws


@pytest.fixture(scope="module")
def moto_server() -> Iterator[str]:
    """The URL of a server in this process that answers as AWS does."""
    with mocked_aws() as url:
        yield url
