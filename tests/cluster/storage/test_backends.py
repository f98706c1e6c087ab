"""A new storage back end needs one class and one entry in REMOTE_STORES: a store in memory passes the whole contract."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest

from cluster.storage.backends import REMOTE_STORES
from cluster.storage.objects import AlreadyThere, Entry, RemoteStore
from cluster.storage.uri import StorageURI, storage_uri
from facegan.errors import UserError
from tests.cluster.storage.contract import CASES, a_stale_tag_replaces_nothing

_LOCK = threading.Lock()


@dataclass(frozen=True)
class MemoryStore:
    """Objects of one bucket in a dict, under full keys."""

    objects: dict[str, bytes]
    prefix: str

    def _full(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    def _tag(self, key: str) -> str:
        return hashlib.md5(self.read(key)).hexdigest() if self.exists(key) else ""

    def check(self) -> None:
        """Always usable."""

    def server_url(self) -> str:
        return "http://127.0.0.1:9"

    def exists(self, key: str) -> bool:
        return self._full(key) in self.objects

    def entries(self, prefix: str) -> Iterator[Entry]:
        for full in [full for full in self.objects if full.startswith(self._full(prefix))]:
            key = full.removeprefix(self._full(""))
            yield Entry(key, len(self.objects[full]), self._tag(key))

    def read(self, key: str) -> bytes:
        try:
            return self.objects[self._full(key)]
        except KeyError:
            raise FileNotFoundError(key) from None

    def write(self, key: str, content: bytes, only_if_absent: bool) -> None:
        with _LOCK:
            if only_if_absent and self.exists(key):
                raise AlreadyThere(key)
            self.objects[self._full(key)] = content

    def remove(self, key: str) -> None:
        self.objects.pop(self._full(key), None)

    def upload(self, key: str, local: Path, sha256: str) -> None:
        content = local.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise UserError(f"{local}: its SHA-256 is not {sha256}")
        self.write(key, content, False)

    def append(self, key: str, sink: BinaryIO, size: int, tag: str) -> None:
        content = self.read(key)
        if tag and self._tag(key) != tag:
            raise UserError(f"{key} has changed since it was listed; run again")
        sink.write(content[sink.tell() : size])

    def replace(self, key: str, local: Path, tag: str) -> str:
        if self._tag(key) != tag:
            raise AlreadyThere(key)
        self.write(key, local.read_bytes(), False)
        return self._tag(key)


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> StorageURI:
    """A prefix in an empty bucket of the scheme memory://, which is added to the mapping and nowhere else."""
    objects: dict[str, bytes] = {"data2/other": b"of another prefix that starts with this one"}

    def open_memory(bucket: str, prefix: str) -> RemoteStore:
        assert bucket == "faces"
        return MemoryStore(objects, prefix)

    monkeypatch.setitem(REMOTE_STORES, "memory", open_memory)
    return storage_uri("--data", "Memory://faces/data/")


@pytest.mark.parametrize("case", [*CASES, a_stale_tag_replaces_nothing], ids=lambda case: case.__name__)
def test_contract(case: Callable[[StorageURI, Path], None], storage: StorageURI, local_folder: Path) -> None:
    case(storage, local_folder)


def test_the_new_scheme_is_remote_and_named_in_messages(storage: StorageURI) -> None:
    assert storage.uri == "memory://faces/data" and storage.is_remote and storage.server_url() == "http://127.0.0.1:9"
    with pytest.raises(UserError, match=r"allowed are .*, s3://bucket/prefix and memory://bucket/prefix"):
        storage_uri("--data", "gs://faces/data")
    with pytest.raises(UserError, match=r"is empty: name a folder or s3://bucket/prefix or memory://bucket/prefix"):
        storage_uri("--data", "")
    for uri in ("memory:faces/data", "memory://", "memory:///x", "memory://fa ces", "memory://faces/../x"):
        with pytest.raises(UserError):
            storage_uri("--data", uri)


def test_the_scheme_is_refused_without_its_entry() -> None:
    with pytest.raises(UserError, match="allowed are a folder, file:///folder and s3://bucket/prefix"):
        storage_uri("--data", "memory://faces/data")
