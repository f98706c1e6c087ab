"""cloud_setup and cloud_teardown in this process, as their command lines are read; and the account that they find."""

import contextlib
import io
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from tests.cluster.s3_environment import s3_environment

from cluster.cli import parse
from infra import cloud_setup, cloud_teardown
from tests.infra.images import make_images

OWNER = "203.0.113.7/32"
BUCKET = "faces-of-mine"


def setup(*arguments: str) -> str:
    """What `python -m infra.cloud_setup` says."""
    return said(cloud_setup.main, cloud_setup.Setup, "--ssh_from", OWNER, *arguments)


def teardown(*arguments: str) -> str:
    """What `python -m infra.cloud_teardown` says."""
    return said(cloud_teardown.main, cloud_teardown.Teardown, *arguments)


def said(main: Any, arguments: type, *words: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        main(parse(arguments, "", list(words)))
    return out.getvalue()


@contextmanager
def empty_account(url: str, home: Path) -> Iterator[boto3.session.Session]:
    """The account, empty; the environment names it, and HOME is a folder of the test."""
    urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST"))
    with pytest.MonkeyPatch.context() as patch, s3_environment(url):
        patch.setenv("HOME", str(home))
        session = boto3.session.Session(region_name=os.environ["AWS_DEFAULT_REGION"])
        make_images(session.region_name)
        yield session
