"""Objects in a bucket of Amazon S3 or of another server of its kind, such as Ceph's radosgw, MinIO or R2."""

import hashlib
import random
import secrets
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from botocore.exceptions import ClientError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError
from urllib3.exceptions import HTTPError

from cluster.storage.objects import AlreadyThere, Entry
from cluster.storage.s3_client import ATTEMPTS, check_sent, client, head, md5, tag_of, unless_changed
from cluster.storage.s3_errors import translate_errors
from cluster.storage.s3_parts import PART, InParts
from facegan.errors import UserError
from facegan.files import file_sha256

_CHUNK = 1 << 18
_PROGRESS = 1 << 20
_BROKEN = (ReadTimeoutError, ResponseStreamingError, IncompleteReadError, HTTPError)


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
                    yield Entry(row["Key"].removeprefix(self._full("")), row["Size"], tag_of(row))

    def read(self, key: str) -> bytes:
        with self._said(key):
            for attempt in range(ATTEMPTS):
                _pause(attempt)
                body = client().get_object(**self._at(key))["Body"]
                try:
                    content: bytes = body.read()
                    return content
                except _BROKEN as error:
                    broken = error
                finally:
                    body.close()
            raise broken

    def append(self, key: str, sink: BinaryIO, size: int, tag: str) -> None:
        """Append what `sink` lacks, again and again where the stream breaks, as long as that brings something."""
        attempt, same = 0, {"IfMatch": f'"{tag}"'} if tag else {}
        with self._said(key):
            while attempt < ATTEMPTS:
                _pause(attempt)
                start = sink.tell()
                body = client().get_object(**self._at(key), **same, Range=f"bytes={start}-{size - 1}")["Body"]
                try:
                    for chunk in body.iter_chunks(_CHUNK):
                        sink.write(chunk)
                    return
                except _BROKEN as error:
                    broken = error
                    attempt = 1 if sink.tell() - start >= _PROGRESS else attempt + 1
                finally:
                    body.close()
            raise broken

    def write(self, key: str, content: bytes, only_if_absent: bool) -> None:
        with self._said(key):
            if only_if_absent:
                self._put(key, content, unless_changed(""))
            else:
                client().put_object(**self._at(key), Body=content, ContentMD5=md5(content))

    def replace(self, key: str, local: Path, tag: str) -> str:
        size, condition = local.stat().st_size, unless_changed(tag)
        with self._said(key):
            if size <= PART:
                return self._put(key, local.read_bytes(), condition)
            return self._put_parts(key, local, file_sha256(local), condition)

    def _put(self, key: str, content: bytes, condition: dict[str, str]) -> str:
        """Put on a condition; the new tag. AlreadyThere where another writer came first."""
        writer, doubtful = secrets.token_hex(16), False
        what = self._at(key) | {"Body": content, "ContentMD5": md5(content), "Metadata": {"writer": writer}}
        for attempt in range(ATTEMPTS):
            _pause(attempt)
            try:
                return tag_of(client().put_object(**what, **condition))
            except ClientError as error:
                # An attempt whose answer was lost may have made the object that the next attempt met.
                doubtful |= error.response["ResponseMetadata"].get("RetryAttempts", 0) > 0
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                if status == 412:
                    found = head(self._at(key)) if doubtful else {}
                    if found.get("Metadata", {}).get("writer") == writer:
                        return tag_of(found)
                    raise AlreadyThere(self._uri(key)) from None
                if status != 409:
                    raise
                conflict = error  # another writer is at it, and may yet fail
        raise conflict

    def server_url(self) -> str:
        with self._said():
            return str(client().meta.endpoint_url)

    def remove(self, key: str) -> None:
        with self._said(key):
            client().delete_object(**self._at(key))

    def upload(self, key: str, local: Path, sha256: str) -> None:
        size = local.stat().st_size
        with self._said(key):
            if size <= PART:
                content = local.read_bytes()
                check_sent(local, hashlib.sha256(content), sha256)
                client().put_object(**self._at(key), Body=content, ContentMD5=md5(content), Metadata={"sha256": sha256})
                self._check_held(key, size, sha256)
            else:
                self._put_parts(key, local, sha256, {})

    def _check_held(self, key: str, size: int, sha256: str) -> str:
        """The tag of what the server holds, which must be what was sent."""
        found = head(self._at(key))
        if (found.get("ContentLength"), found.get("Metadata", {}).get("sha256")) != (size, sha256):
            raise UserError(f"{self._uri(key)}: the server does not hold what was sent to it; run again")
        return tag_of(found)

    def _put_parts(self, key: str, local: Path, sha256: str, condition: dict[str, str]) -> str:
        InParts(self._at(key), self._uri(key), local, sha256).send(condition)
        return self._check_held(key, local.stat().st_size, sha256)

    def _full(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    def _at(self, key: str) -> dict[str, Any]:
        return {"Bucket": self.name, "Key": self._full(key)}

    def _uri(self, key: str = "") -> str:
        return f"s3://{self.name}/{self._full(key)}".rstrip("/")

    def _said(self, key: str = "") -> AbstractContextManager[None]:
        return translate_errors(self._uri(key))


def _pause(attempt: int) -> None:
    """Before an attempt; none before the first, 0."""
    if attempt:
        # Jitter, so that the workers that one server turned away do not come back together.
        time.sleep(random.uniform(0.5, 1.0) * min(8.0, 0.2 * 2**attempt))
