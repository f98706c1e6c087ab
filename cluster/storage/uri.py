"""Where jobs read and write: a folder, or a bucket of an S3 server. A reader sees whole files only, never a part of one."""

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote

from cluster.storage.objects import PARTIAL, Entry, flush, translate_errors
from facegan.errors import UserError

if TYPE_CHECKING:
    from cluster.storage.folder import Folder
    from cluster.storage.s3 import Bucket


@dataclass(frozen=True, slots=True)
class StorageURI:
    """A folder or a prefix in a bucket, by its URI alone, so that it travels into tasks."""

    uri: str
    """An absolute folder, or s3://bucket/prefix without a slash at its end."""

    def __str__(self) -> str:
        return self.uri

    def __truediv__(self, below: str) -> "StorageURI":
        return StorageURI(f"{self.uri.rstrip('/')}/{_checked(self.uri, below)}")

    @property
    def is_remote(self) -> bool:
        """Whether it lies on an S3 server."""
        return self.uri.startswith("s3://")

    @property
    def folder(self) -> Path:
        """The folder that it is."""
        assert not self.is_remote, f"{self.uri} is no folder"
        return Path(self.uri)

    @property
    def _store(self) -> "Folder | Bucket":
        from cluster.storage.folder import Folder

        if not self.is_remote:
            return Folder(self.folder)
        from cluster.storage.s3 import Bucket  # importing boto3 takes 0.3 s, which a user of folders need not wait for

        bucket, _, prefix = self.uri.removeprefix("s3://").partition("/")
        return Bucket(bucket, prefix)

    def check(self) -> None:
        """A UserError where the place cannot be used: ask before anything starts. A folder need not exist yet."""
        self._store.check()

    def exists(self, key: str) -> bool:
        """Whether there is an object of that name."""
        return self._store.exists(_checked(self.uri, key))

    def entries(self, prefix: str = "") -> list[Entry]:
        """All objects whose keys begin with `prefix`, at any depth, by key."""
        _checked(self.uri, f"{prefix}x")
        found = (entry for entry in self._store.entries(prefix) if _is_name(entry.key))
        return sorted(found, key=lambda entry: entry.key)

    def read(self, key: str) -> bytes:
        """The content of an object; FileNotFoundError where there is none."""
        return self._store.read(_checked(self.uri, key))

    def write(self, key: str, content: bytes, *, only_if_absent: bool = False) -> None:
        """Create or replace an object; with `only_if_absent`, of many writers one wins and the others get AlreadyThere."""
        self._store.write(_checked(self.uri, key), content, only_if_absent)

    def replace(self, key: str, local: Path, tag: str) -> str:
        """In a bucket, replace the object that is known by this tag ("": there is none) by a local file; the new tag.

        AlreadyThere where another writer came first: one that was cut off cannot undo what was written after it.
        """
        from cluster.storage.s3 import Bucket

        assert isinstance(self._store, Bucket), f"{self.uri} is a folder, in which a trial works itself"
        return self._store.replace(_checked(self.uri, key), local, tag)

    def remove(self, key: str) -> None:
        """See that there is no object of that name."""
        self._store.remove(_checked(self.uri, key))

    def upload(self, key: str, local: Path, *, sha256: str) -> None:
        """Create or replace an object by a local file, which must have this hash to its last byte to become visible."""
        self._store.upload(_checked(self.uri, key), local, sha256)

    def download(self, key: str, local: Path, *, size: int, sha256: str) -> None:
        """A checked local copy; one that was interrupted goes on where it stopped, and one that is there is left as it is."""
        with translate_errors(local), _alone(_beside(local)) as sink:
            if not _has(local, size, sha256):
                self._fill(_checked(self.uri, key), sink, size, "")
                if not _has(_beside(local), size, sha256):
                    _beside(local).unlink()
                    raise UserError(f"{self.uri}/{key} is damaged or another version: its SHA-256 is not {sha256}; run again")
                os.replace(_beside(local), local)
            _beside(local).unlink(missing_ok=True)

    def copy(self, entry: Entry, local: Path) -> None:
        """A local copy of an object as a listing showed it, where no hash of it is known: its tag stands for its content."""
        tag = local.with_name(f"{local.name}.tag")
        with translate_errors(local), _alone(_beside(local)) as sink:
            if not (local.exists() and tag.exists() and tag.read_text() == entry.tag):
                sink.truncate(0)
                self._fill(entry.key, sink, entry.size, entry.tag)
                tag.unlink(missing_ok=True)
                os.replace(_beside(local), local)
                tag.write_text(entry.tag)
            _beside(local).unlink(missing_ok=True)

    def _fill(self, key: str, sink: BinaryIO, size: int, tag: str) -> None:
        if sink.seek(0, os.SEEK_END) > size:
            sink.truncate(0)
        try:
            if sink.seek(0, os.SEEK_END) < size:
                self._store.append(key, sink, size, tag)
        except FileNotFoundError:
            os.unlink(sink.name)
            raise
        finally:
            flush(sink)
        if sink.tell() != size:
            os.unlink(sink.name)
            raise UserError(f"{self.uri}/{key}: {sink.tell()} bytes came, {size} were to come; run again")


def storage_uri(name: str, uri: str) -> StorageURI:
    """The place that a user named; `name` is the flag, for messages."""
    scheme, found, rest = uri.partition("://")
    if found and scheme.lower() == "s3":
        return _s3_place(name, uri, rest.rstrip("/"))
    if found and scheme.lower() == "file":
        rest = unquote(rest.removeprefix("localhost"))
        if not rest.startswith("/"):
            raise UserError(f"{name} is {uri!r}: after file:// comes a path from the root, as in file:///mnt/faces")
    elif found or re.match(r"(s3|file):", uri, re.IGNORECASE):
        raise UserError(f"{name} is {uri!r}: allowed are a folder, file:///folder and s3://bucket/prefix")
    if not uri.strip():
        raise UserError(f"{name} is empty: name a folder or s3://bucket/prefix")
    path = rest if found else os.path.expanduser(uri)
    if path.startswith("~"):
        raise UserError(
            f"{name} is {uri!r}: there is no such user here; name a folder by its path, or ./~... for one so called"
        )
    return StorageURI(os.path.abspath(path))


def _s3_place(name: str, uri: str, rest: str) -> StorageURI:
    bucket, _, prefix = rest.partition("/")
    if not re.fullmatch(r"[A-Za-z0-9._-]+", bucket) or not bucket.strip("."):
        raise UserError(f"{name} is {uri!r}: after s3:// comes the name of a bucket, as in s3://faces/300vw")
    return StorageURI(f"s3://{bucket}/{_checked(f'{name} {uri}', prefix)}" if prefix else f"s3://{bucket}")


def _checked(uri: str, key: str) -> str:
    """The key, if it means the same in a folder and in a bucket and stays inside of both."""
    if not _is_name(key):
        raise UserError(f"{key!r} in {uri} is no name for an object: parts between single slashes, none '..' or '*.partial'")
    return key


def _is_name(key: str) -> bool:
    return all(part.strip(".") and not part.endswith(PARTIAL) for part in key.split("/"))


def _beside(local: Path) -> Path:
    return local.with_name(local.name + PARTIAL)


@contextmanager
def _alone(partial: Path) -> Iterator[BinaryIO]:
    """The file open at its end; a second one who wants the same copy waits until the first has it or has given up."""
    partial.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with partial.open("ab") as sink:
            fcntl.flock(sink, fcntl.LOCK_EX)
            if _is_open(partial, sink):
                yield sink
                return


def _is_open(partial: Path, sink: BinaryIO) -> bool:
    try:
        return os.path.samestat(os.fstat(sink.fileno()), partial.stat())
    except FileNotFoundError:  # whoever had it before has removed it
        return False


def _has(path: Path, size: int, sha256: str) -> bool:
    if not path.is_file() or path.stat().st_size != size:
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == sha256
