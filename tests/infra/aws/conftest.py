"""An empty AWS account for each test."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.infra.aws.commands import empty_account


@pytest.fixture
def aws(moto_server: str, tmp_path: Path) -> Iterator[boto3.session.Session]:
    """A session of a new account, for one test."""
    with empty_account(moto_server, tmp_path) as session:
        yield session
