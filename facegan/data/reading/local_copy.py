"""A data set on this machine's disk, laid out to be mapped into memory: one copy that all processes of the machine share.

images.bin    the encoded images one after the other
offsets.npy   [rows + 1] where each image begins, and the end
points.npy    [rows, 68, 2] landmarks in crop pixels
frames.npy    [rows] frame numbers of the source
boxes.npy     [rows, 3] left, top and side of the crops in pixels of the source
manifest.json the manifest that it is a copy of, and beside it the clip table that the manifest names

Images inside Parquet pages would have to be decoded into the memory of each process; these files need not.
"""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from facegan.cache import cache_folder
from facegan.data.ingest.clip_record import CLIPS, record_key
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.listing import IngestedSource
from facegan.data.ingest.shards import write_clip
from facegan.data.ingest.sources import ClipSource, FoundClips, content_hash, fingerprint
from facegan.data.reading.clip_files import FETCHES, Fetch, checked_file, row_groups
from facegan.data.versions.clip_table import ManifestClip
from facegan.data.versions.manifest import (
    Manifest,
    make_manifest,
    manifest_hash,
    manifest_key,
    newest_version,
    read_manifest,
    repair_command,
    to_bytes,
)
from facegan.errors import UserError
from facegan.files import replacing
from facegan.landmarks.points import POINTS

COPIED_MANIFEST = "manifest.json"
_ARRAYS = ("offsets", "points", "frames", "boxes")


def local_copy(manifest: Manifest, cache: Path, fetch: Fetch) -> Path:
    """The folder of the machine's one copy. The first process that needs it makes it; others wait for that."""
    sha256 = manifest_hash(manifest)
    found = find_copy(sha256, cache)
    if found:
        return found
    folder = _copy_folder(sha256, cache)
    try:
        _make_copy(manifest, folder, fetch)
    except OSError as error:
        size = manifest.clips.total("file_bytes") / 1e6
        raise UserError(
            f"{folder}: {error.strerror or error}, while {size:.0f} MB of the data set were copied there; correct this, or "
            "name another disk with the environment variable FACEGAN_CACHE, or the space to use with FACEGAN_CACHE_GB"
        ) from None
    return folder


def _make_copy(manifest: Manifest, folder: Path, fetch: Fetch) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not _is_whole(folder):
            # Left behind by processes that were killed: only the holder of the lock writes here.
            for stale in folder.parent.glob(f"{folder.name}.*.partial"):
                shutil.rmtree(stale)
            downloads = folder.with_suffix(".downloads")
            clips = [clip for clip in manifest.clips if clip.rows]
            files = _fetch_all(clips, downloads, fetch)
            with replacing(folder) as partial:
                partial.mkdir()
                _unpack(clips, files, partial)
                (partial / manifest.clips.file.file).write_bytes(manifest.clips.content)
                (partial / COPIED_MANIFEST).write_bytes(to_bytes(manifest))
            shutil.rmtree(downloads, ignore_errors=True)


def _fetch_all(clips: list[ManifestClip], downloads: Path, fetch: Fetch) -> list[Path]:
    """The files of the clips in their order, several fetched at a time."""
    with ThreadPoolExecutor(FETCHES, "fetch") as pool:
        # `map` cancels what has not begun when one cannot be fetched.
        return list(pool.map(lambda clip: fetch(clip, downloads), clips))


def find_copy(sha256: str, cache: Path) -> Path | None:
    """The folder of this machine's copy of the data with this manifest hash; None if there is no complete one."""
    folder = _copy_folder(sha256, cache)
    return folder if _is_whole(folder) else None


def _copy_folder(sha256: str, cache: Path) -> Path:
    return cache / "data" / sha256[:24]


def _is_whole(folder: Path) -> bool:
    """Whether a copy is complete. It appears in one rename, so the sizes of its files are checked only against later damage."""
    try:
        offsets, *_ = [_mapped(folder / f"{name}.npy") for name in _ARRAYS]  # a file that was cut cannot be mapped
        return (folder / "images.bin").stat().st_size == int(offsets[-1]) and (folder / COPIED_MANIFEST).exists()
    except (OSError, EOFError, ValueError):  # EOFError: an empty file, as a power cut leaves it
        return False


def _unpack(clips: list[ManifestClip], files: list[Path], into: Path) -> None:
    """Write the arrays of some Parquet files in their order, with the images of one row group in memory at a time."""
    sizes, points, frames, boxes = [], [], [], []
    with (into / "images.bin").open("wb") as sink:
        for clip, file in zip(clips, files, strict=True):
            for group in row_groups(clip, file):
                sizes.append(_append_images(group.column("image"), sink))
                points.append(_flat(group.column("landmarks")).reshape(-1, POINTS, 2))
                frames.append(group.column("frame").to_numpy())
                boxes.append(_flat(group.column("crop_box")).reshape(-1, 3))
        sink.flush()
        os.fsync(sink.fileno())
    np.save(into / "offsets.npy", np.concatenate([[0], np.cumsum(np.concatenate(sizes))]).astype(np.int64))
    for name, parts in (("points", points), ("frames", frames), ("boxes", boxes)):
        np.save(into / f"{name}.npy", np.concatenate(parts))


def _append_images(column: Any, sink: BinaryIO) -> NDArray[np.int64]:
    images = [value.as_buffer() for value in column]
    for image in images:
        sink.write(image)
    return np.array([image.size for image in images], np.int64)


def _flat(column: Any) -> NDArray[Any]:
    return np.asarray(column.flatten().to_numpy(zero_copy_only=False))


class CopiedFrames:
    """Images, landmarks and frame numbers by row, from a local copy that all processes of the machine map into memory.

    `points` [rows, 68, 2] are landmarks in crop pixels, `frame` [rows] the frame numbers of the source, `boxes` [rows, 3] left,
    top and side of the crops in its pixels.
    """

    ahead = 0
    """Samples to expect before they are read: everything is there."""

    def __init__(self, folder: Path) -> None:
        self._bytes = np.memmap(folder / "images.bin", np.uint8, "r")
        # Mapped too: at 128 pixels the points are a tenth of the data, which each worker would hold for itself.
        arrays = (_mapped(folder / f"{name}.npy") for name in _ARRAYS)
        self._offsets, self.points, self.frame, self.boxes = arrays

    def encoded(self, row: int) -> NDArray[np.uint8]:
        """The image of a row as it is stored: the bytes of a JPEG or PNG file, [bytes] uint8."""
        return self._bytes[self._offsets[row] : self._offsets[row + 1]]

    def expect(self, rows: NDArray[np.int64]) -> None:
        """Nothing is to be fetched."""


def _mapped(path: Path) -> NDArray[Any]:
    """A read-only array over a file, in memory that all processes of the machine share."""
    return np.asarray(np.load(path, mmap_mode="r"))


def read_newest(folder: Path) -> Manifest:
    """The newest manifest of a data set in a folder. Raises UserError if the folder is not a data set."""
    version = newest_version(os.listdir(folder)) if folder.is_dir() else 0
    if not version:
        raise UserError(f"--data is {str(folder)!r}: no data set (it has no manifest); make one with jobs/ingest.py")
    return read_manifest(lambda key: (folder / key).read_bytes(), manifest_key(version), str(folder))


def copy_of_folder(folder: Path) -> Path:
    """The local copy of the newest version of a data set in a folder."""
    manifest = read_newest(folder)
    cure = repair_command(str(folder), manifest.sources)
    return local_copy(manifest, cache_folder(), lambda clip, _: checked_file(folder, clip, cure))


def ingest_folder(clips: list[ClipSource], source: Path, folder: Path, config: IngestConfig, *, synthetic: bool) -> Manifest:
    """Write version 1 of a data set of annotated clips, one clip after the other in this process, for tests and benchmarks.

    `jobs/ingest.py` does it in parallel, extends data sets and survives being killed.
    """
    (folder / CLIPS).mkdir(parents=True, exist_ok=True)
    records = [write_clip(clip, source, folder / CLIPS, config, content_hash(clip, source)) for clip in clips]
    facts = IngestedSource(fingerprint(FoundClips(clips, [])), len(clips), [])
    manifest, tables = make_manifest(records, config, synthetic=synthetic, sources={str(source): facts})
    for key, content in tables.items():
        (folder / key).write_bytes(content)
    for record in records:
        (folder / record_key(record.key)).write_bytes(record.to_json())
    (folder / manifest_key(1)).write_bytes(to_bytes(manifest))
    return manifest
