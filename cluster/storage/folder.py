"""Objects as files of a folder."""

import errno
import hashlib
import os
import posixpath
import secrets
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cluster.storage.objects import PARTIAL, AlreadyThere, Entry, flush, translate_os_errors
from facegan.errors import UserError

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Folder:
    """Objects as files of a folder. They are written to `.partial/` and published by an atomic rename."""

    path: Path

    def check(self) -> None:
        with translate_os_errors(self.path):
            nearest = next(p for p in (self.path, *self.path.parents) if p.exists())
        if not nearest.is_dir():
            raise UserError(f"{self._naming(nearest)} is a file; name a folder")
        if not os.access(nearest, os.R_OK | os.X_OK):
            raise UserError(f"{self._naming(nearest)} is not readable; change its permissions or name another folder")

    def _naming(self, nearest: Path) -> str:
        return f"{self.path}" if nearest == self.path else f"{self.path}: {nearest}"

    def exists(self, key: str) -> bool:
        with translate_os_errors(self.path / key):
            return (self.path / key).is_file()

    def entries(self, prefix: str) -> Iterator[Entry]:
        return self._walk(self.path / posixpath.dirname(prefix), prefix, frozenset())

    def _walk(self, folder: Path, prefix: str, above: frozenset[str]) -> Iterator[Entry]:
        here = os.path.realpath(folder)
        # Links are followed, because clips are often on another disk. `above` ends a loop of links.
        for path in self._paths(folder) if here not in above else ():
            key, found = path.relative_to(self.path).as_posix(), _stat(path)
            if found is None:
                continue
            if stat.S_ISDIR(found.st_mode) and f"{key}/".startswith(prefix):
                yield from self._walk(path, prefix, above | {here})
            elif stat.S_ISREG(found.st_mode) and key.startswith(prefix):
                yield Entry(key, found.st_size, str(found.st_mtime_ns))

    def _paths(self, folder: Path) -> list[Path]:
        try:
            return [folder / name for name in os.listdir(folder)]
        except FileNotFoundError:
            return []
        except NotADirectoryError as error:
            if folder != self.path:
                return []  # the prefix continues the key of an object
            raise _user_error(error) from error
        except OSError as error:
            raise _user_error(error) from error

    def read(self, key: str) -> bytes:
        with translate_os_errors(self.path / key), self._opened(key) as source:
            return source.read()

    def _opened(self, key: str) -> BinaryIO:
        if not self.exists(key):
            raise FileNotFoundError(errno.ENOENT, "no such file", str(self.path / key))
        return (self.path / key).open("rb")

    def write(self, key: str, content: bytes, only_if_absent: bool) -> None:
        with self._atomic_write(key, os.link if only_if_absent else os.replace) as sink:
            sink.write(content)

    def remove(self, key: str) -> None:
        with translate_os_errors(self.path / key):
            (self.path / key).unlink(missing_ok=True)

    def upload(self, key: str, local: Path, sha256: str) -> None:
        digest = hashlib.sha256()
        with local.open("rb") as source, self._atomic_write(key, os.replace) as sink:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                sink.write(chunk)
            if digest.hexdigest() != sha256:
                raise UserError(f"{local} changed before it was copied to {self.path / key}: its SHA-256 is not {sha256}")

    def append(self, key: str, sink: BinaryIO, size: int, tag: str) -> None:
        """Append what `sink` lacks of `size` bytes. The tag of a file is its modification time."""
        with translate_os_errors(self.path / key), self._opened(key) as source:
            if tag and str(os.fstat(source.fileno()).st_mtime_ns) != tag:
                raise UserError(f"{self.path / key} has changed since it was listed; run again")
            source.seek(sink.tell())
            while chunk := source.read(min(_CHUNK, size - sink.tell())):
                sink.write(chunk)

    @contextmanager
    def _atomic_write(self, key: str, publish: Callable[[Path, Path], None]) -> Iterator[BinaryIO]:
        """Open a temporary file; at the end of the block, flush it and publish it by `os.replace` or `os.link`.

        `facegan.files.replacing` does not fit: several threads may write the same key, a power cut must not undo what is
        published, and `os.link` is what makes one of several writers win.
        """
        target = self.path / key
        partial = self.path / PARTIAL / f"{socket.gethostname()}+{os.getpid()}+{secrets.token_hex(8)}"
        with translate_os_errors(target):
            for folder in (partial.parent, target.parent):
                folder.mkdir(parents=True, exist_ok=True)
            try:
                with partial.open("xb") as sink:
                    yield sink
                    flush(sink)
                publish(partial, target)
                _flush_folder(target.parent)
            except FileExistsError:
                # NFS can lose the answer to a successful link; its second attempt then finds that the target exists.
                if partial.stat().st_nlink < 2:
                    if target.is_dir():
                        raise
                    raise AlreadyThere(str(target)) from None
            finally:
                partial.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)  # otherwise a power cut can undo the rename
    finally:
        os.close(handle)


def _stat(path: Path) -> os.stat_result | None:
    """Return the status of a path; None for a broken link and for a file that was removed after it was listed."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise _user_error(error) from error


def _user_error(error: OSError) -> UserError:
    return UserError(f"{error.filename}: {error.strerror}; correct this or name another folder")
