"""Objects as files of a folder."""

import errno
import hashlib
import os
import posixpath
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cluster.storage import PARTIAL, AlreadyThere, Entry, flush, said
from facegan.config import UserError

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Folder:
    """Objects as files. They are written beside the others, under `.partial`, and come into sight by one rename."""

    path: Path

    def check(self) -> None:
        nearest = next(p for p in (self.path, *self.path.parents) if p.exists())
        if not nearest.is_dir():
            raise UserError(f"{self.path}: {nearest} is a file; name a folder")
        if not os.access(nearest, os.R_OK | os.X_OK):
            raise UserError(f"{self.path}: {nearest} may not be read; change its permissions or name another folder")

    def exists(self, key: str) -> bool:
        return (self.path / key).is_file()

    def entries(self, prefix: str) -> Iterator[Entry]:
        seen = set()
        for folder, below, names in os.walk(self.path / posixpath.dirname(prefix), onerror=_refuse, followlinks=True):
            seen.add(os.path.realpath(folder))
            # Links are followed, for clips often lie on another disk; one that leads back would never end.
            below[:] = [n for n in below if os.path.realpath(os.path.join(folder, n)) not in seen]
            for path in (Path(folder, name) for name in names):
                key = path.relative_to(self.path).as_posix()
                if key.startswith(prefix) and path.is_file():
                    yield Entry(key, path.stat().st_size, str(path.stat().st_mtime_ns))

    def read(self, key: str) -> bytes:
        with said(self.path / key), self._opened(key) as source:
            return source.read()

    def _opened(self, key: str) -> BinaryIO:
        if not self.exists(key):
            raise FileNotFoundError(errno.ENOENT, "no such file", str(self.path / key))
        return (self.path / key).open("rb")

    def write(self, key: str, content: bytes, only_if_absent: bool) -> None:
        with self._appearing(key, os.link if only_if_absent else os.replace) as sink:
            sink.write(content)

    def upload(self, key: str, local: Path, sha256: str) -> None:
        digest = hashlib.sha256()
        with local.open("rb") as source, self._appearing(key, os.replace) as sink:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                sink.write(chunk)
            if digest.hexdigest() != sha256:
                raise UserError(f"{local} is not what was to be copied to {self.path / key}: its SHA-256 is not {sha256}")

    def append(self, key: str, sink: BinaryIO, size: int, tag: str) -> None:
        """Append what `sink` lacks of `size` bytes; the tag of a file is its time of change."""
        with said(self.path / key), self._opened(key) as source:
            if tag and str(os.fstat(source.fileno()).st_mtime_ns) != tag:
                raise UserError(f"{self.path / key} has changed since it was listed; run again")
            source.seek(sink.tell())
            while chunk := source.read(min(_CHUNK, size - sink.tell())):
                sink.write(chunk)

    @contextmanager
    def _appearing(self, key: str, publish: Callable[[Path, Path], None]) -> Iterator[BinaryIO]:
        target = self.path / key
        partial = self.path / PARTIAL / f"{socket.gethostname()}+{os.getpid()}+{secrets.token_hex(8)}"
        with said(target):
            for folder in (partial.parent, target.parent):
                folder.mkdir(parents=True, exist_ok=True)
            try:
                with partial.open("xb") as sink:
                    yield sink
                    flush(sink)
                publish(partial, target)
                _flush_folder(target.parent)
            except FileExistsError:
                # NFS can lose the answer to a link that it made, and say on the second attempt that the target exists.
                if partial.stat().st_nlink < 2:
                    raise AlreadyThere(str(target)) from None
            finally:
                partial.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)  # else a power cut can undo the rename
    finally:
        os.close(handle)


def _refuse(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise UserError(f"{error.filename}: {error.strerror}; see to that or name another folder")
