"""Clips of data sets on this machine's disk, for a machine that cannot hold all of them: the latest used ones stay.

<cache>/clips/<clip>-<hash>.<hash>.arrow   what is read of a clip (`_COLUMNS`), as an Arrow file without compression

A clip is the smallest unit: the hash of its file can be checked, it takes one request, and several batches may use it. Its name
holds the hash of its Parquet file, so data sets and their versions share the clips that they have in common. All processes of
the machine share the folder. A clip that is removed stays readable in processes that have opened it.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock, Timeout

from facegan.cache import cache_folder
from facegan.data.ingest.shards import SCHEMA
from facegan.data.reading.clip_files import Fetch, row_groups
from facegan.data.versions.clip_table import ManifestClip
from facegan.errors import UserError
from facegan.files import replacing

_COLUMNS = ["image", "landmarks", "frame", "crop_box"]
_SUFFIX = ".arrow"
_KEPT = 7 / 8
"""Share of the limit that is left after room was made."""
_STEP = 1 / 64
"""Share of the limit that a process writes before it looks at the folder again, which takes a while for 100,000 clips."""


class ClipCache:
    """Opens clips, fetching those that are not there. `limit` is the most that they may take together, in bytes.

    Up to eight processes that fetch at once stay below it. The clip asked for is kept whatever its size.
    """

    def __init__(self, limit: int, fetch: Fetch) -> None:
        self._folder, self.limit, self._fetch = clips_folder(), limit, fetch
        self._unseen = limit  # bytes written since the folder was looked at; it was not looked at yet
        self._lock = threading.Lock()

    def table(self, clip: ManifestClip) -> Any:
        """An Arrow table with a row for each frame, mapped into memory. Several threads and processes may ask at once.

        Raises UserError if the clip's file is missing or is not what was ingested, or if the disk is full.
        """
        path = self._folder / f"{clip.key}.{clip.sha256[:16]}{_SUFFIX}"
        found = _opened(path)
        if found is not None:
            return found
        with _full_disk(path), only_one(clip.key):
            found = _opened(path)
            if found is None:
                found = self._made(clip, path)
        return found

    def _made(self, clip: ManifestClip, path: Path) -> Any:
        downloads = self._folder / "downloads"
        file = self._fetch(clip, downloads)
        try:
            with replacing(path) as partial:
                _write(clip, file, partial)
                # Before another process can remove it.
                table = _opened(partial)
                size = partial.stat().st_size
        finally:
            if file.parent == downloads:
                file.unlink(missing_ok=True)
        assert table is not None, f"{path} was written and cannot be read"
        self._make_room(size, path)
        return table

    def _make_room(self, size: int, newest: Path) -> None:
        with self._lock:
            self._unseen += size
            if self._unseen < _STEP * self.limit:
                return
            self._unseen = 0
        with FileLock(self._folder / "room.lock"):
            there = sorted(_files(self._folder))
            used = sum(size for _, size, _ in there)
            for _, size, path in there if used > _KEPT * self.limit else ():
                if used <= _KEPT * self.limit:
                    break
                if path != newest:
                    path.unlink(missing_ok=True)
                    used -= size


def clips_folder() -> Path:
    """The folder of the clips."""
    return cache_folder() / "clips"


@contextmanager
def only_one(key: str, seconds: float = -1) -> Iterator[None]:
    """Let one thread of one process at a time write or remove a clip. Raises Timeout after `seconds`, unless they are -1."""
    lock = clips_folder() / f"{key}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock, timeout=seconds):
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)  # FileLock notices a deleted file that it waited for and starts over


def remove_clip(key: str) -> int:
    """Remove a clip, whatever the hash of its file, and return how many files there were."""
    if not clips_folder().is_dir():
        return 0
    with only_one(key):  # a process that fetches it is waited for
        found = [path for path in clips_folder().iterdir() if path.name.startswith(f"{key}.") and path.suffix != ".lock"]
        for path in found:
            path.unlink(missing_ok=True)
    return sum(path.suffix == _SUFFIX for path in found)


def _opened(path: Path) -> Any | None:
    """The clip in a file, marked as used; None if there is none, or if it was cut when the machine stopped."""
    try:
        os.utime(path)
        with pa.memory_map(str(path)) as source:
            return pa.ipc.open_file(source).read_all()
    except FileNotFoundError:
        return None
    except pa.ArrowInvalid:
        path.unlink(missing_ok=True)
        return None


def _write(clip: ManifestClip, file: Path, path: Path) -> None:
    schema = pa.schema([SCHEMA.field(name) for name in _COLUMNS])
    with path.open("wb") as sink:
        with pa.ipc.new_file(sink, schema) as writer:
            for group in row_groups(clip, file):
                writer.write_batch(group.select(_COLUMNS))
        sink.flush()
        os.fsync(sink.fileno())


def _files(folder: Path) -> Iterator[tuple[int, int, Path]]:
    """When it was last used, size and path of each clip; unfinished files that nobody writes are removed."""
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                found = entry.stat()
            except FileNotFoundError:
                continue
            if entry.name.endswith(_SUFFIX):
                yield found.st_mtime_ns, found.st_size, Path(entry.path)
            elif entry.name.endswith(".partial"):
                _remove_unless_written(Path(entry.path))


def _remove_unless_written(partial: Path) -> None:
    """Remove an unfinished clip, `<clip>.<hash>.arrow.<process>.partial`, unless a writer has its lock."""
    with suppress(Timeout), only_one(partial.name.rsplit(".", 4)[0], seconds=0):
        partial.unlink(missing_ok=True)


@contextmanager
def _full_disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{path}: {error.strerror or error}, while a clip was copied there; correct this, lower FACEGAN_CACHE_GB, or name "
            "another disk with the environment variable FACEGAN_CACHE"
        ) from None
