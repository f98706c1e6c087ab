"""The boto3 client of S3 servers, set up for older servers too, and small helpers around its requests."""

import base64
import functools
import hashlib
import os
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from cluster.storage.s3_errors import code_of

ATTEMPTS = 6
_SILENCE_SECONDS = 60
_CHUNK = 1 << 20


def client(attempts: int = ATTEMPTS) -> Any:
    """Return this process's client for the server and keys that the environment names; threads share it."""
    # The key: a forked process must not share sockets with its parent, and changed variables may name another server.
    settings = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
    return _client(os.getpid(), settings, attempts)


@functools.lru_cache(maxsize=8)
def _client(pid: int, settings: tuple[tuple[str, str], ...], attempts: int) -> Any:
    config = Config(
        # "standard" gives up after 1.5 s, and stops retrying altogether after 36 failures in a process. The pauses of "legacy"
        # double from one second on, with jitter.
        retries={"mode": "legacy", "total_max_attempts": attempts},
        connect_timeout=5,
        read_timeout=_SILENCE_SECONDS,
        max_pool_connections=16,
        # Older servers do not know the newer checksums. All of them check Content-MD5, which is added below.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    made = boto3.session.Session().client("s3", config=config)
    for operation in ("PutObject", "UploadPart"):
        made.meta.events.register(f"before-call.s3.{operation}", _add_content_md5)
    return made


def _add_content_md5(params: dict[str, Any], **_: object) -> None:
    """Let the server refuse a body that was damaged on the way."""
    params["headers"]["Content-MD5"] = content_md5(params["body"])


def content_md5(body: bytes | BinaryIO) -> str:
    """Return the value of the header Content-MD5; a file is read from its position, which stays the same."""
    if isinstance(body, bytes):
        digest = hashlib.md5(body, usedforsecurity=False)
    else:
        digest, start = hashlib.md5(usedforsecurity=False), body.tell()
        while chunk := body.read(_CHUNK):
            digest.update(chunk)
        body.seek(start)
    return base64.b64encode(digest.digest()).decode()


def head(location: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of the object at this Bucket and Key; empty if there is none."""
    try:
        return dict(client().head_object(**location))
    except ClientError as error:
        if code_of(error) != "404":
            raise
        return {}


def tag_of(answer: dict[str, Any]) -> str:
    """Return the ETag in a server's answer without its quotation marks; "" if it has none."""
    return str(answer.get("ETag", "")).strip('"')


def time_of(answer: dict[str, Any]) -> float | None:
    """Return the Unix time of a server's answer by the server's clock; None if it does not tell."""
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(date).timestamp() if date else None


def tag_condition(tag: str) -> dict[str, str]:
    """Return the condition that the object still has this tag; for "", that there is no object."""
    # Without quotation marks: radosgw compares the string as it is.
    return {"IfMatch": tag} if tag else {"IfNoneMatch": "*"}
