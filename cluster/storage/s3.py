"""Objects in a bucket of Amazon S3 or of a compatible server, such as Ceph's radosgw, MinIO or R2."""

import hashlib
import random
import secrets
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError
from urllib3.exceptions import HTTPError

from cluster.storage.objects import AlreadyThere, Entry
from cluster.storage.s3_client import ATTEMPTS, client, head, tag_condition, tag_of, time_of
from cluster.storage.s3_errors import code_of, translate_s3_errors
from facegan.errors import UserError

_PART_BYTES = 8 << 20
"""Larger files are uploaded in parts, by boto3."""
_MAX_PARTS = 10_000
_THREADS = 4
_CHUNK = 1 << 18
_PROGRESS_BYTES = 1 << 20
"""A download that received this many bytes before its connection broke starts again to count its attempts."""
_CONNECTION_ERRORS = (ReadTimeoutError, ResponseStreamingError, IncompleteReadError, HTTPError)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Objects under a prefix of a bucket."""

    name: str
    prefix: str

    def check(self) -> None:
        with self._errors():  # a listing, because the answer to a HEAD request has no body that names the error
            client(attempts=2).list_objects_v2(Bucket=self.name, Prefix=self._full_key(""), MaxKeys=1)

    def server_url(self) -> str:
        with self._errors():
            return str(client().meta.endpoint_url)

    def exists(self, key: str) -> bool:
        with self._errors(key):
            found = client().list_objects_v2(Bucket=self.name, Prefix=self._full_key(key), MaxKeys=1)
            return any(row["Key"] == self._full_key(key) for row in found.get("Contents", ()))

    def entries(self, prefix: str) -> Iterator[Entry]:
        with self._errors():
            pages = client().get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=self._full_key(prefix))
            for page in pages:
                now = time_of(page)
                for row in page.get("Contents", ()):
                    # Web consoles create empty objects that end with a slash, to show folders.
                    if not row["Key"].endswith("/"):
                        age = None if now is None else max(0.0, now - row["LastModified"].timestamp())
                        yield Entry(row["Key"].removeprefix(self._full_key("")), row["Size"], tag_of(row), age)

    def read(self, key: str) -> bytes:
        with self._errors(key):
            for attempt in range(ATTEMPTS):
                _pause(attempt)
                body = client().get_object(**self._object(key))["Body"]
                try:
                    content: bytes = body.read()
                    return content
                except _CONNECTION_ERRORS as error:
                    broken = error
                finally:
                    body.close()
            raise broken

    def append(self, key: str, sink: BinaryIO, size: int, tag: str) -> None:
        """Append what `sink` lacks of `size` bytes; resume after broken connections as long as bytes arrive."""
        attempt, condition = 0, {"IfMatch": f'"{tag}"'} if tag else {}
        with self._errors(key):
            while attempt < ATTEMPTS:
                _pause(attempt)
                start = sink.tell()
                body = client().get_object(**self._object(key), **condition, Range=f"bytes={start}-{size - 1}")["Body"]
                try:
                    for chunk in body.iter_chunks(_CHUNK):
                        sink.write(chunk)
                    return
                except _CONNECTION_ERRORS as error:
                    broken = error
                    attempt = 1 if sink.tell() - start >= _PROGRESS_BYTES else attempt + 1
                finally:
                    body.close()
            raise broken

    def write(self, key: str, content: bytes, only_if_absent: bool) -> None:
        with self._errors(key):
            if only_if_absent:
                self._put_if(tag_condition(""), key, content)
            else:
                client().put_object(**self._object(key), Body=content)

    def replace(self, key: str, local: Path, tag: str) -> str:
        # One request whatever the size, at most 5 GiB: radosgw ignores conditions of a multipart completion, but not those of
        # put_object. The body is the open file, which is not read into memory.
        with self._errors(key), local.open("rb") as body:
            return self._put_if(tag_condition(tag), key, body)

    def _put_if(self, condition: dict[str, str], key: str, body: bytes | BinaryIO) -> str:
        """Put an object if the condition holds and return its tag; AlreadyThere if another writer came first."""
        writer, lost_answer = secrets.token_hex(16), False
        for attempt in range(ATTEMPTS):
            _pause(attempt)
            if not isinstance(body, bytes):
                body.seek(0)
            try:
                return tag_of(client().put_object(**self._object(key), **condition, Body=body, Metadata={"writer": writer}))
            except ClientError as error:
                # An attempt whose answer was lost may have created the object that the next attempt found.
                lost_answer |= error.response["ResponseMetadata"].get("RetryAttempts", 0) > 0
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                if status == 412:
                    found = head(self._object(key)) if lost_answer else {}
                    if found.get("Metadata", {}).get("writer") == writer:
                        return tag_of(found)
                    raise AlreadyThere(self._uri(key)) from None
                if status != 409:
                    raise
                conflict = error  # another writer's request is in progress and may still fail
        raise conflict

    def remove(self, key: str) -> None:
        with self._errors(key):
            client().delete_object(**self._object(key))

    def upload(self, key: str, local: Path, sha256: str) -> None:
        """Upload a file and check what the server stored. boto3 aborts a multipart upload that fails.

        If the server cannot be reached then, its parts stay until a lifecycle rule of the bucket removes them.
        """
        size, metadata = local.stat().st_size, {"sha256": sha256}
        with self._errors(key), local.open("rb") as stream:
            source = _VerifiedReader(stream, sha256)
            if size <= _PART_BYTES:
                client().put_object(**self._object(key), Body=source.read(), Metadata=metadata)
            else:
                part = max(_PART_BYTES, -(-size // _MAX_PARTS))
                config = TransferConfig(multipart_threshold=part, multipart_chunksize=part, max_concurrency=_THREADS)
                try:
                    client().upload_fileobj(source, **self._object(key), ExtraArgs={"Metadata": metadata}, Config=config)
                except ClientError as error:
                    # A completion whose answer was lost has ended the upload; the check below tells whether it succeeded.
                    if code_of(error) != "NoSuchUpload":
                        raise
            found = head(self._object(key))
            if (found.get("ContentLength"), found.get("Metadata", {}).get("sha256")) != (size, sha256):
                raise UserError(f"{self._uri(key)}: the server does not hold what was sent to it; run again")

    def _full_key(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    def _object(self, key: str) -> dict[str, Any]:
        return {"Bucket": self.name, "Key": self._full_key(key)}

    def _uri(self, key: str = "") -> str:
        return f"s3://{self.name}/{self._full_key(key)}".rstrip("/")

    def _errors(self, key: str = "") -> AbstractContextManager[None]:
        return translate_s3_errors(self._uri(key))


@dataclass(slots=True)
class _VerifiedReader:
    """A file whose last read raises UserError if the SHA-256 of all bytes read is not the expected one.

    boto3 completes an upload after the last read, so that wrong content never becomes visible. It has no `seek`, because boto3
    would use that to read bytes again, unchecked.
    """

    stream: BinaryIO
    sha256: str
    _digest: Any = field(default_factory=hashlib.sha256)

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes; fewer only at the end of the file."""
        content = self.stream.read(size)
        self._digest.update(content)
        if (size < 0 or len(content) < size) and self._digest.hexdigest() != self.sha256:
            raise UserError(
                f"{self.stream.name} is not what was to be uploaded: its SHA-256 is {self._digest.hexdigest()}, "
                f"not {self.sha256}"
            )
        return content


def _pause(attempt: int) -> None:
    """Wait before an attempt; not before the first one, 0."""
    if attempt:
        # Jitter, so that workers which a server turned away together do not return together.
        time.sleep(random.uniform(0.5, 1.0) * min(8.0, 0.2 * 2**attempt))
