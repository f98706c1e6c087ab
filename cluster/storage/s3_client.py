"""The client of S3 servers, and what is asked and said in the same way wherever it is used."""

import base64
import functools
import hashlib
import os
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from cluster.storage.s3_errors import code_of
from facegan.errors import UserError

ATTEMPTS = 6
_SILENCE_SECONDS = 60


def client(attempts: int = ATTEMPTS) -> Any:
    """This process's client for the servers and keys that the environment names; threads share it."""
    # A fork must not share its parent's sockets, and other variables can mean another server.
    told = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
    return _client(os.getpid(), told, attempts)


@functools.lru_cache(maxsize=8)
def _client(pid: int, told: tuple[tuple[str, str], ...], attempts: int) -> Any:
    config = Config(
        # "standard" gives up after a second and a half, and a process's 36th failure is not tried again at all; these pauses
        # double from a second on, with jitter.
        retries={"mode": "legacy", "total_max_attempts": attempts},
        connect_timeout=5,
        read_timeout=_SILENCE_SECONDS,
        max_pool_connections=16,
        # The newer checksums are unknown to older servers; Content-MD5, which we send, is checked by all of them.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.session.Session().client("s3", config=config)


def head(at: dict[str, Any]) -> dict[str, Any]:
    """What is known of the object at this Bucket and Key without its content; nothing where there is none."""
    try:
        return dict(client().head_object(**at))
    except ClientError as error:
        if code_of(error) != "404":
            raise
        return {}


def tag_of(answer: dict[str, Any]) -> str:
    """The tag of what a server tells of an object; '' where it tells of none."""
    return str(answer.get("ETag", "")).strip('"')


def unless_changed(tag: str) -> dict[str, str]:
    """The condition that an object is still the one of this tag; of none, that there is no object."""
    # Without quotation marks: radosgw compares it as it comes.
    return {"IfMatch": tag} if tag else {"IfNoneMatch": "*"}


def md5(content: bytes) -> str:
    """As the header Content-MD5 has it."""
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def check_sent(local: Path, digest: Any, sha256: str) -> None:
    """That the bytes read from the file are those that were to be sent; a UserError if not."""
    if digest.hexdigest() != sha256:
        raise UserError(f"{local} is not what was to be uploaded: its SHA-256 is {digest.hexdigest()}, not {sha256}")
