"""StorageURI: where jobs read and write, a folder or a prefix on a storage server."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from cluster.storage import local_copy
from cluster.storage.backends import REMOTE_STORES, open_remote_store, remote_forms
from cluster.storage.content_hash import sha256_of
from cluster.storage.folder import Folder
from cluster.storage.objects import PARTIAL, Entry, Store
from facegan.cache import is_remote
from facegan.errors import UserError


@dataclass(frozen=True, slots=True)
class StorageURI:
    """A folder or a prefix in a bucket. Holds nothing but its URI, so that it can be sent to Ray tasks."""

    uri: str
    """An absolute folder, or scheme://bucket/prefix without a slash at its end."""

    def __str__(self) -> str:
        return self.uri

    def __truediv__(self, below: str) -> "StorageURI":
        return StorageURI(f"{self.uri.rstrip('/')}/{_checked(self.uri, below)}")

    @property
    def is_remote(self) -> bool:
        """Whether it is on a storage server, so that programs which need files need a local copy."""
        return is_remote(self.uri)

    @property
    def folder(self) -> Path:
        """The folder, for a URI that is not remote."""
        assert not self.is_remote, f"{self.uri} is not a folder"
        return Path(self.uri)

    @property
    def _store(self) -> Store:
        return open_remote_store(self.uri) if self.is_remote else Folder(self.folder)

    def check(self) -> None:
        """Raise UserError if it cannot be used; call this before a job starts. A folder need not exist yet."""
        self._store.check()

    def exists(self, key: str) -> bool:
        """Return whether there is an object with this key."""
        return self._store.exists(_checked(self.uri, key))

    def entries(self, prefix: str = "") -> list[Entry]:
        """Return all objects whose keys start with `prefix`, at any depth, sorted by key."""
        return self.listing(prefix)[0]

    def listing(self, prefix: str = "") -> tuple[list[Entry], list[str]]:
        """Return what `entries` returns, and the keys that are passed over because they are not valid in every store."""
        _checked(self.uri, f"{prefix}x")
        found = sorted(self._store.entries(prefix), key=lambda entry: entry.key)
        valid = [entry for entry in found if _is_valid_key(entry.key)]
        return valid, [entry.key for entry in found if not _is_valid_key(entry.key)]

    def read(self, key: str) -> bytes:
        """Return the content of an object; FileNotFoundError if there is none."""
        return self._store.read(_checked(self.uri, key))

    def write(self, key: str, content: bytes, *, only_if_absent: bool = False) -> None:
        """Create or replace an object; with `only_if_absent`, all writers but the first get AlreadyThere."""
        self._store.write(_checked(self.uri, key), content, only_if_absent)

    def replace(self, key: str, local: Path, tag: str) -> str:
        """Replace the remote object that has this tag ("": none exists) by a local file; return the new tag.

        Raises AlreadyThere if another writer came first, so that a delayed writer cannot undo newer results.
        """
        assert self.is_remote, f"{self.uri} is a folder; write to its files directly"
        return open_remote_store(self.uri).replace(_checked(self.uri, key), local, tag)

    def remove(self, key: str) -> None:
        """Delete an object if there is one."""
        self._store.remove(_checked(self.uri, key))

    def upload(self, key: str, local: Path, *, sha256: str) -> None:
        """Create or replace an object by a local file. If its SHA-256 differs, raise UserError and change nothing."""
        self._store.upload(_checked(self.uri, key), local, sha256)

    def download(self, key: str, local: Path, *, size: int, sha256: str) -> None:
        """Make a verified local copy. An interrupted download is resumed; a complete copy is not fetched again."""
        local_copy.download(self._store, self.uri, _checked(self.uri, key), local, size, sha256)

    def copy(self, entry: Entry, local: Path) -> None:
        """Make a local copy of a listed object whose hash is unknown; it is fetched again when the tag has changed."""
        local_copy.copy(self._store, self.uri, entry, local)

    def sha256(self, entry: Entry) -> str:
        """The SHA-256 of a listed object. Raises UserError if it has changed since, FileNotFoundError if it is gone."""
        _checked(self.uri, entry.key)
        return sha256_of(self._store, entry)

    def server_url(self) -> str:
        """The address of the storage server; empty for a folder."""
        return open_remote_store(self.uri).server_url() if self.is_remote else ""


def storage_uri(name: str, uri: str) -> StorageURI:
    """Parse what the user gave to the flag `name`: a path, file:///path, or scheme://bucket/prefix."""
    prefix, separator, rest = uri.partition("://")
    scheme = prefix.lower()
    if separator and scheme in REMOTE_STORES:
        return _remote_uri(name, uri, scheme, rest.rstrip("/"))
    if separator and scheme == "file":
        rest = unquote(rest.removeprefix("localhost"))
        if not rest.startswith("/"):
            raise UserError(f"{name} is {uri!r}: after file:// comes an absolute path, as in file:///mnt/faces")
    elif separator or uri.lower().startswith(tuple(f"{known}:" for known in ("file", *REMOTE_STORES))):
        *forms, last = ["a folder", "file:///folder", *remote_forms()]
        raise UserError(f"{name} is {uri!r}: allowed are {', '.join(forms)} and {last}")
    if not uri.strip():
        raise UserError(f"{name} is empty: name {' or '.join(['a folder', *remote_forms()])}")
    path = rest if separator else os.path.expanduser(uri)
    if path.startswith("~"):
        raise UserError(
            f"{name} is {uri!r}: there is no such user; give the folder's path, or ./~... for a folder of this name"
        )
    return StorageURI(os.path.abspath(path))


def _remote_uri(name: str, uri: str, scheme: str, location: str) -> StorageURI:
    bucket, _, prefix = location.partition("/")
    if not re.fullmatch(r"[A-Za-z0-9._-]+", bucket) or not bucket.strip("."):
        raise UserError(f"{name} is {uri!r}: after {scheme}:// comes the name of a bucket, as in {scheme}://faces/300vw")
    return StorageURI(f"{scheme}://{bucket}/{_checked(f'{name} {uri}', prefix)}" if prefix else f"{scheme}://{bucket}")


def _checked(uri: str, key: str) -> str:
    """Return the key if it is valid in every store and cannot leave the prefix, else raise UserError."""
    if not _is_valid_key(key):
        raise UserError(f"{key!r} in {uri} is not a valid key: use single slashes, no '.' or '..', and no part '*{PARTIAL}'")
    return key


def _is_valid_key(key: str) -> bool:
    return all(part.strip(".") and not part.endswith(PARTIAL) for part in key.split("/"))
