"""Removal of this machine's local copies of a data set, and of its kept clips, when a clip may no longer be kept."""

import shutil
from collections.abc import Collection
from pathlib import Path

from filelock import FileLock

from facegan.cache import cache_folder
from facegan.data.ingest.clip_record import file_key
from facegan.data.reading.clip_cache import clips_folder, remove_clip
from facegan.data.reading.local_copy import COPIED_MANIFEST
from facegan.data.versions.manifest import read_manifest
from facegan.errors import UserError


def remove_copies(hashes: Collection[str], files: Collection[str]) -> int:
    """Remove the copies of versions whose manifests have these hashes, and all others that hold one of the Parquet files.

    `files` are names inside a data set, which are made from a clip's content: another data set with the same clip is copied
    under other hashes. Clips that are kept without the rest of their data set count as one copy. Returns the number of copies
    that were removed. A process that has one open keeps reading what it has
    mapped until it ends. Raises OSError if a copy cannot be deleted.
    """
    home = cache_folder() / "data"
    folders = [path for path in home.glob("*") if path.is_dir() and "." not in path.name]
    holding = {path.name for path in folders if _holds(path, files)}
    removed = 0
    for name in sorted({sha256[:24] for sha256 in hashes} | holding):
        # Parts of a copy that is not complete have a suffix.
        parts = [path for path in home.glob(f"{name}*") if path.is_dir()]
        if parts:
            with FileLock(home / f"{name}.lock"):  # a process that makes this copy is waited for
                for path in home.glob(f"{name}*"):
                    if path.is_dir():
                        shutil.rmtree(path)
            removed += 1
    for file in files:
        for download in (*home.glob(f"*.downloads/{Path(file).name}*"), *clips_folder().glob(f"downloads/{Path(file).name}*")):
            download.unlink()
    # Listed, not made one by one: `any` would stop at the first.
    return removed + any([remove_clip(Path(file).stem) for file in files])


def _holds(folder: Path, files: Collection[str]) -> bool:
    """Whether a copy has one of the files. A copy whose manifest cannot be read is not used by any process, and counts."""
    try:
        manifest = read_manifest(lambda key: (folder / key).read_bytes(), COPIED_MANIFEST, str(folder))
    except (OSError, UserError):
        return True
    return not {file_key(key) for key in manifest.clips.texts("key")}.isdisjoint(files)
