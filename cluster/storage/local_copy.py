"""Local copies of objects: downloads that resume, are verified, and are made once when several processes want the same one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock

from cluster.storage.objects import PARTIAL, Entry, Store, flush, translate_os_errors
from facegan.errors import UserError
from facegan.files import file_sha256, write_bytes


class WrongContent(UserError):
    """An object that was fetched whole has another SHA-256 than the one that was expected."""


def download(store: Store, uri: str, key: str, local: Path, size: int, sha256: str) -> None:
    """Make `local` a copy of an object with this size and SHA-256; UserError, or WrongContent, if the object has others.

    An interrupted download is resumed. If `local` is complete already, nothing is fetched.
    """
    with _only_writer(local) as sink:
        if not _has(local, size, sha256):
            _fetch_rest(store, uri, key, sink, size, "")
            partial = Path(sink.name)
            if not _has(partial, size, sha256):
                partial.unlink()
                raise WrongContent(f"{uri}/{key} is damaged or another version: its SHA-256 is not {sha256}; run again")
            os.replace(partial, local)


def copy(store: Store, uri: str, entry: Entry, local: Path) -> None:
    """Make `local` a copy of a listed object; its tag, kept in `<local>.tag`, stands for the content."""
    tag = local.with_name(f"{local.name}.tag")
    with _only_writer(local) as sink:
        if not (local.exists() and tag.exists() and tag.read_text() == entry.tag):
            sink.truncate(0)  # a partial file may be of an older version
            _fetch_rest(store, uri, entry.key, sink, entry.size, entry.tag)
            tag.unlink(missing_ok=True)
            os.replace(sink.name, local)
            write_bytes(tag, entry.tag.encode())


@contextmanager
def _only_writer(local: Path) -> Iterator[BinaryIO]:
    """Open the partial file of a copy at its end, while every other process that wants the same copy waits.

    The partial file is kept when the block raises, for the next attempt to resume.
    """
    partial = local.with_name(f"{local.name}{PARTIAL}")
    lock = local.with_name(f"{local.name}.lock{PARTIAL}")
    with translate_os_errors(local, "correct this, or name another disk for local copies with FACEGAN_CACHE"):
        local.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):
            try:
                with partial.open("ab") as sink:
                    yield sink
                partial.unlink(missing_ok=True)
            finally:
                lock.unlink(missing_ok=True)  # FileLock notices a deleted file that it waited for and starts over


def _fetch_rest(store: Store, uri: str, key: str, sink: BinaryIO, size: int, tag: str) -> None:
    """Append what the partial file lacks of `size` bytes."""
    if sink.seek(0, os.SEEK_END) > size:
        sink.truncate(0)
    try:
        if sink.seek(0, os.SEEK_END) < size:
            store.append(key, sink, size, tag)
    except FileNotFoundError:
        os.unlink(sink.name)
        raise
    finally:
        flush(sink)
    if sink.tell() != size:
        os.unlink(sink.name)
        raise UserError(f"{uri}/{key}: received {sink.tell()} of {size} bytes; run again")


def _has(path: Path, size: int, sha256: str) -> bool:
    return path.is_file() and path.stat().st_size == size and file_sha256(path) == sha256
