"""Objects in a bucket of Amazon S3 or of another server of its kind, such as Ceph's radosgw, MinIO or R2."""

import base64
import functools
import hashlib
import os
import random
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.exceptions import ConnectionError as NoConnection
from urllib3.exceptions import HTTPError

from cluster.storage import AlreadyThere, Entry
from facegan.config import UserError

_ATTEMPTS = 6
_PART = 8 << 20
_PARTS_AT_MOST = 10_000
_THREADS = 4
_CHUNK = 1 << 18
_PROGRESS = 1 << 20
_BROKEN = (ReadTimeoutError, ResponseStreamingError, IncompleteReadError, HTTPError)
_KEYS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_DAMAGED = ("the bytes arrived damaged", "run again; if it happens again look at the network and the memory")
_REGION = ("the bucket lies in another region", "set AWS_DEFAULT_REGION to the region of the bucket")
_TOKEN = ("the session token is no longer valid", "log in again and set a new AWS_SESSION_TOKEN")
_BUSY = ("the server failed several times", "try again later")
_REASONS = {
    "NoSuchBucket": ("there is no such bucket", "create it or correct the name; AWS_ENDPOINT_URL names the server"),
    "InvalidBucketName": ("that cannot be the name of a bucket", "correct the name"),
    "InvalidAccessKeyId": ("the server does not know the access key", f"{_KEYS} for this server"),
    "SignatureDoesNotMatch": ("the secret key is wrong", "set the AWS_SECRET_ACCESS_KEY of this AWS_ACCESS_KEY_ID"),
    "ExpiredToken": _TOKEN,
    "InvalidToken": _TOKEN,
    "TokenRefreshRequired": _TOKEN,
    "RequestTimeTooSkewed": ("this machine's clock differs from the server's", "set the clock"),
    "BadDigest": _DAMAGED,
    "InvalidDigest": _DAMAGED,
    "XAmzContentSHA256Mismatch": _DAMAGED,
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "QuotaExceeded": ("the bucket or its owner is over the quota", "remove something or ask for more"),
    "PreconditionFailed": ("the object has changed since it was listed", "run again"),
    "InternalError": _BUSY,
    "ServiceUnavailable": _BUSY,
    "SlowDown": _BUSY,
    "500": _BUSY,
    "502": _BUSY,
    "503": _BUSY,
}


def client(attempts: int = _ATTEMPTS) -> Any:
    """This process's client for the servers and keys that the environment names; threads share it."""
    # A fork must not share its parent's sockets, and other variables can mean another server.
    told = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
    return _client(os.getpid(), told, attempts)


@functools.lru_cache(maxsize=8)
def _client(pid: int, told: tuple[tuple[str, str], ...], attempts: int) -> Any:
    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=5,
        read_timeout=60,
        max_pool_connections=16,
        # The newer checksums are unknown to older servers; Content-MD5, which we send, is checked by all of them.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.session.Session().client("s3", config=config)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Objects under a prefix of a bucket."""

    name: str
    prefix: str

    def check(self) -> None:
        with self._said():  # a listing, for the answer to a HEAD has no body that would say what is wrong
            client(attempts=2).list_objects_v2(Bucket=self.name, Prefix=self._full(""), MaxKeys=1)

    def exists(self, key: str) -> bool:
        with self._said(key):
            found = client().list_objects_v2(Bucket=self.name, Prefix=self._full(key), MaxKeys=1)
            return bool([row for row in found.get("Contents", ()) if row["Key"] == self._full(key)])

    def entries(self, prefix: str) -> Iterator[Entry]:
        with self._said():
            pages = client().get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=self._full(prefix))
            for row in (row for page in pages for row in page.get("Contents", ())):
                # Consoles make empty objects that end with a slash, to show folders.
                if not row["Key"].endswith("/"):
                    yield Entry(row["Key"].removeprefix(self._full("")), row["Size"], row["ETag"].strip('"'))

    def read(self, key: str) -> bytes:
        with self._said(key):
            for attempt in range(_ATTEMPTS):
                body = client().get_object(**self._at(key))["Body"]
                try:
                    content: bytes = body.read()
                    return content
                except _BROKEN as error:
                    broken = error
                    _pause(attempt)
            raise broken

    def append(self, key: str, sink: BinaryIO, size: int, tag: str) -> None:
        """Append what `sink` lacks, again and again where the stream breaks, as long as that brings something."""
        attempt, same = 0, {"IfMatch": f'"{tag}"'} if tag else {}
        with self._said(key):
            while attempt < _ATTEMPTS:
                start = sink.tell()
                body = client().get_object(**self._at(key), **same, Range=f"bytes={start}-{size - 1}")["Body"]
                try:
                    for chunk in body.iter_chunks(_CHUNK):
                        sink.write(chunk)
                    return
                except _BROKEN as error:
                    broken = error
                    attempt = 0 if sink.tell() - start >= _PROGRESS else attempt + 1
                    _pause(attempt)
                finally:
                    body.close()
            raise broken

    def write(self, key: str, content: bytes, only_if_absent: bool) -> None:
        with self._said(key):
            if only_if_absent:
                self._put_if_absent(key, content)
            else:
                client().put_object(**self._at(key), Body=content, ContentMD5=_md5(content))

    def _put_if_absent(self, key: str, content: bytes) -> None:
        doubtful = False
        for attempt in range(_ATTEMPTS):
            try:
                client().put_object(**self._at(key), Body=content, ContentMD5=_md5(content), IfNoneMatch="*")
                return
            except ClientError as error:
                # An attempt whose answer was lost may have made the object that the next attempt met.
                doubtful |= error.response["ResponseMetadata"].get("RetryAttempts", 0) > 0
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                if status == 412:
                    break
                if status != 409:
                    raise
                _pause(attempt)  # 409: another writer is at it, and may yet fail
        if not (doubtful and self.exists(key) and self.read(key) == content):
            raise AlreadyThere(self._uri(key))

    def upload(self, key: str, local: Path, sha256: str) -> None:
        size = local.stat().st_size
        with self._said(key):
            if size <= _PART:
                content = local.read_bytes()
                _same(local, hashlib.sha256(content), sha256)
                client().put_object(**self._at(key), Body=content, ContentMD5=_md5(content), Metadata={"sha256": sha256})
            else:
                self._upload_parts(key, local, max(_PART, -(-size // _PARTS_AT_MOST)), sha256)
            found = client().head_object(**self._at(key))
            if (found["ContentLength"], found["Metadata"].get("sha256")) != (size, sha256):
                raise UserError(f"{self._uri(key)}: the server does not hold what was sent to it; run again")

    def _upload_parts(self, key: str, local: Path, part_size: int, sha256: str) -> None:
        upload = client().create_multipart_upload(**self._at(key), Metadata={"sha256": sha256})["UploadId"]
        try:
            parts = self._send_parts(key, upload, local, part_size, sha256)
            client().complete_multipart_upload(**self._at(key), UploadId=upload, MultipartUpload={"Parts": parts})
        except ClientError as error:
            # A completion whose answer was lost has ended the upload; what is there is looked at next.
            if _code(error) != "NoSuchUpload":
                self._abort(key, upload)
                raise
        except BaseException:
            self._abort(key, upload)
            raise

    def _send_parts(self, key: str, upload: str, local: Path, part_size: int, sha256: str) -> list[dict[str, Any]]:
        digest, pending, sent = hashlib.sha256(), deque[Future[dict[str, Any]]](), list[dict[str, Any]]()
        with ThreadPoolExecutor(_THREADS) as pool, local.open("rb") as stream:
            while part := stream.read(part_size):
                digest.update(part)
                pending.append(pool.submit(self._send_part, key, upload, len(sent) + len(pending) + 1, part))
                if len(pending) > _THREADS:  # no more of the file than this in memory
                    sent.append(pending.popleft().result())
            sent += [future.result() for future in pending]
        _same(local, digest, sha256)
        return sent

    def _send_part(self, key: str, upload: str, number: int, part: bytes) -> dict[str, Any]:
        where = self._at(key) | {"UploadId": upload, "PartNumber": number}
        return {"PartNumber": number, "ETag": client().upload_part(**where, Body=part, ContentMD5=_md5(part))["ETag"]}

    def _abort(self, key: str, upload: str) -> None:
        try:
            client(attempts=2).abort_multipart_upload(**self._at(key), UploadId=upload)
        except (BotoCoreError, ClientError):
            print(f"storage  an unfinished upload stays, out of sight, at {self._uri(key)}", flush=True)

    def _full(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    def _at(self, key: str) -> dict[str, Any]:
        return {"Bucket": self.name, "Key": self._full(key)}

    def _uri(self, key: str = "") -> str:
        return f"s3://{self.name}/{self._full(key)}".rstrip("/")

    @contextmanager
    def _said(self, key: str = "") -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            if _code(error) in ("NoSuchKey", "404"):
                raise FileNotFoundError(self._uri(key)) from error
            raise UserError(f"{self._uri(key)}: {_refused(error)}") from error
        except (BotoCoreError, HTTPError, ValueError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"{self._uri(key)}: {_failed(error)}") from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _refused(error: ClientError) -> str:
    code, doing = _code(error), error.operation_name
    if code in ("AccessDenied", "403", "AllAccessDisabled"):
        return f"access denied to {doing}; ask for the right to it, or {_KEYS} of someone who has it"
    reason, cure = _REASONS.get(
        code, (_line(error.response.get("Error", {}).get("Message") or "no reason given"), "see to that")
    )
    return f"{reason} ({code}); {cure}"


def _failed(error: Exception) -> str:
    if isinstance(error, (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)):
        return f"there are no credentials ({_line(error)}); {_KEYS}"
    if isinstance(error, (NoConnection, HTTPClientError, IncompleteReadError, HTTPError)):
        server = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "Amazon S3"
        return f"{server} cannot be reached ({_line(error)}); see that it runs, or set AWS_ENDPOINT_URL"
    if isinstance(error, ParamValidationError):
        return f"that cannot be an object's name ({_line(error)}); correct it"
    return f"the client cannot be set up ({_line(error)}); correct the variable AWS_... that this is about"


def _line(error: object) -> str:
    return " ".join(str(error).split())


def _md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def _same(local: Path, digest: Any, sha256: str) -> None:
    if digest.hexdigest() != sha256:
        raise UserError(f"{local} is not what was to be uploaded: its SHA-256 is {digest.hexdigest()}, not {sha256}")


def _pause(attempt: int) -> None:
    # Jitter, so that the workers that one server turned away do not come back together.
    time.sleep(random.uniform(0.5, 1.0) * min(8.0, 0.2 * 2**attempt))
