"""Objects in a bucket of Amazon S3 or of another server of its kind, such as Ceph's radosgw, MinIO or R2."""

import base64
import functools
import hashlib
import os
import random
import secrets
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError
from urllib3.exceptions import HTTPError

from cluster.s3_errors import code_of, said
from cluster.storage import AlreadyThere, Entry
from facegan.config import UserError

_ATTEMPTS = 6
_SILENCE_SECONDS = 60
_PART = 8 << 20
_PARTS_AT_MOST = 10_000
_THREADS = 4
_CHUNK = 1 << 18
_PROGRESS = 1 << 20
_BROKEN = (ReadTimeoutError, ResponseStreamingError, IncompleteReadError, HTTPError)


def client(attempts: int = _ATTEMPTS) -> Any:
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
            while attempt < _ATTEMPTS:
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
                self._put_if_absent(key, content)
            else:
                client().put_object(**self._at(key), Body=content, ContentMD5=_md5(content))

    def _put_if_absent(self, key: str, content: bytes) -> None:
        writer, doubtful = secrets.token_hex(16), False
        what = self._at(key) | {"Body": content, "ContentMD5": _md5(content), "Metadata": {"writer": writer}}
        for attempt in range(_ATTEMPTS):
            _pause(attempt)
            try:
                client().put_object(**what, IfNoneMatch="*")
                return
            except ClientError as error:
                # An attempt whose answer was lost may have made the object that the next attempt met.
                doubtful |= error.response["ResponseMetadata"].get("RetryAttempts", 0) > 0
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                if status == 412:
                    if doubtful and self._head(key).get("Metadata", {}).get("writer") == writer:
                        return
                    raise AlreadyThere(self._uri(key)) from None
                if status != 409:
                    raise
                conflict = error  # another writer is at it, and may yet fail
        raise conflict

    def _head(self, key: str) -> dict[str, Any]:
        """What is known of an object without its content; nothing where there is none."""
        try:
            return dict(client().head_object(**self._at(key)))
        except ClientError as error:
            if code_of(error) != "404":
                raise
            return {}

    def remove(self, key: str) -> None:
        with self._said(key):
            client().delete_object(**self._at(key))

    def upload(self, key: str, local: Path, sha256: str) -> None:
        size = local.stat().st_size
        with self._said(key):
            if size <= _PART:
                content = local.read_bytes()
                _same(local, hashlib.sha256(content), sha256)
                client().put_object(**self._at(key), Body=content, ContentMD5=_md5(content), Metadata={"sha256": sha256})
            else:
                self._upload_parts(key, local, max(_PART, -(-size // _PARTS_AT_MOST)), sha256)
            found = self._head(key)
            if (found.get("ContentLength"), found.get("Metadata", {}).get("sha256")) != (size, sha256):
                raise UserError(f"{self._uri(key)}: the server does not hold what was sent to it; run again")

    def _upload_parts(self, key: str, local: Path, part_size: int, sha256: str) -> None:
        upload = client().create_multipart_upload(**self._at(key), Metadata={"sha256": sha256})["UploadId"]
        try:
            parts = self._send_parts(key, upload, local, part_size, sha256)
            client().complete_multipart_upload(**self._at(key), UploadId=upload, MultipartUpload={"Parts": parts})
        except ClientError as error:
            # A completion whose answer was lost has ended the upload; what is there is looked at next.
            if code_of(error) != "NoSuchUpload":
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
        except (BotoCoreError, ClientError) as error:
            if isinstance(error, ClientError) and code_of(error) == "NoSuchUpload":
                return  # ended already: nothing is left of it
            print(f"storage  an unfinished upload stays, out of sight, at {self._uri(key)}", flush=True)

    def _full(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    def _at(self, key: str) -> dict[str, Any]:
        return {"Bucket": self.name, "Key": self._full(key)}

    def _uri(self, key: str = "") -> str:
        return f"s3://{self.name}/{self._full(key)}".rstrip("/")

    def _said(self, key: str = "") -> AbstractContextManager[None]:
        return said(self._uri(key))


def _md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def _same(local: Path, digest: Any, sha256: str) -> None:
    if digest.hexdigest() != sha256:
        raise UserError(f"{local} is not what was to be uploaded: its SHA-256 is {digest.hexdigest()}, not {sha256}")


def _pause(attempt: int) -> None:
    """Before an attempt; none before the first, 0."""
    if attempt:
        # Jitter, so that the workers that one server turned away do not come back together.
        time.sleep(random.uniform(0.5, 1.0) * min(8.0, 0.2 * 2**attempt))
