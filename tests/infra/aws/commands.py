"""Run setup and teardown in this process, from their command-line arguments, against an empty mocked account."""

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

from cluster.cli.command_line import parse
from infra.aws import setup, teardown
from tests.cluster.storage.s3_environment import s3_environment
from tests.infra.aws.images import make_images

OWNER = "203.0.113.7/32"
BUCKET = "faces-of-mine"


def run_setup(*arguments: str) -> str:
    """Return what `python -m infra.aws.setup` prints."""
    return run_main(setup.main, setup.Setup, "--ssh_from", OWNER, *arguments)


def run_teardown(*arguments: str) -> str:
    """Return what `python -m infra.aws.teardown` prints."""
    return run_main(teardown.main, teardown.Teardown, *arguments)


def run_main(main: Any, arguments: type, *words: str) -> str:
    """Call `main` with the parsed words and return what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        main(parse(arguments, "", list(words)))
    return out.getvalue()


@contextmanager
def empty_account(url: str, home: Path) -> Iterator[boto3.session.Session]:
    """Empty the mocked account at `url`; set the environment to it and HOME to `home`."""
    urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST"))
    with pytest.MonkeyPatch.context() as patch, s3_environment(url):
        patch.setenv("HOME", str(home))
        session = boto3.session.Session(region_name=os.environ["AWS_DEFAULT_REGION"])
        make_images(session.region_name)
        yield session
