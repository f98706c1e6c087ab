"""What every storage back end offers: the `Store` protocol, listing entries, and errors."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from facegan.errors import UserError

PARTIAL = ".partial"
"""Suffix of unfinished files, and name of the folder that holds them. No part of a key ends with it."""


class Unreachable(UserError):
    """The server does not answer, is too busy, or refuses this machine's clock: the same operation may succeed later."""


class AlreadyThere(Exception):
    """A conditional write found another object than the one it expected."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An object as a listing shows it."""

    key: str
    """Relative to the listed StorageURI."""
    size: int
    """Bytes."""
    tag: str
    """Changes with the content: the ETag in a bucket, the modification time in nanoseconds in a folder."""
    age: float | None = None
    """Seconds since it was written, both by the server's clock; None in a folder."""


class Store(Protocol):
    """Objects under one prefix. StorageURI checks the keys before it passes them on.

    Readers see complete objects only. What the store refuses is raised as a UserError with one line for the user.
    """

    def check(self) -> None:
        """Raise UserError if the store cannot be used. A folder need not exist yet."""

    def exists(self, key: str) -> bool:
        """Return whether there is an object with this key."""

    def entries(self, prefix: str) -> Iterable[Entry]:
        """Return all objects whose keys start with `prefix`, at any depth and in any order."""

    def read(self, key: str) -> bytes:
        """Return the content of an object; FileNotFoundError if there is none."""

    def write(self, key: str, content: bytes, only_if_absent: bool) -> None:
        """Create or replace an object; with `only_if_absent`, raise AlreadyThere if there is one."""

    def remove(self, key: str) -> None:
        """Delete an object if there is one."""

    def upload(self, key: str, local: Path, sha256: str) -> None:
        """Create or replace an object by a local file. If its SHA-256 differs, raise UserError and change nothing."""

    def append(self, key: str, sink: BinaryIO, size: int, tag: str) -> None:
        """Append to `sink` the bytes from its end to `size`; UserError if `tag` is given and the object has another one."""


class RemoteStore(Store, Protocol):
    """A store on a server. Jobs keep local copies of what it holds."""

    def replace(self, key: str, local: Path, tag: str) -> str:
        """Replace the object that has this tag ("": none exists) by a local file and return the new tag, else AlreadyThere."""

    def server_url(self) -> str:
        """Return the address of the server, for an HTTP HEAD request."""


@contextmanager
def translate_os_errors(path: Path, cure: str = "correct this or name another folder") -> Iterator[None]:
    """Raise a UserError, with the cure, for an OSError of the disk; FileNotFoundError passes."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}; {cure}") from error


def flush(sink: BinaryIO) -> None:
    """Write buffered content to the disk."""
    sink.flush()
    os.fsync(sink.fileno())
