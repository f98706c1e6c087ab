"""Check that every file of a data set's newest version is what was written. Imports neither Ray nor torch."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from cluster.datasets.dataset import existing
from cluster.storage.objects import Entry
from cluster.storage.uri import StorageURI
from facegan.data.ingest.clip_record import CLIPS
from facegan.data.versions.clip_table import ManifestClip
from facegan.data.versions.manifest import Manifest, repair_command
from facegan.errors import UserError

_AT_A_TIME = 8
"""Clips whose files are read at a time; on a server each waits for answers most of the time."""


@dataclass(frozen=True, slots=True)
class BadFile:
    """A file of a data set that is not what was written, and what is wrong. `clip` is empty for the quarantine table."""

    clip: str
    file: str
    reason: str


def verify(data: StorageURI) -> None:
    """Print each bad file of the newest version with its clip, or one line if there is none.

    Raises UserError, with the command that repairs the data set, if a file is bad or if the manifest cannot be read.
    """
    found = existing(data)
    manifest = found.manifest()
    bad = bad_files(manifest, data)
    for one in bad:
        print(f"bad      {f'clip {one.clip}: ' if one.clip else ''}{one.file}: {one.reason}", flush=True)
    if bad:
        clips = len({one.clip for one in bad if one.clip})
        cure = repair_command(str(data), manifest.sources)
        raise UserError(
            f"--data is {str(data)!r}: {len(bad)} of its files, of {clips} of {len(manifest.clips)} clips, are not what was "
            f"ingested; {cure}"
        )
    size = manifest.clips.total("file_bytes") / 1e6
    print(
        f"data     {data}: version {found.version}, {len(manifest.clips)} clips, {size:.1f} MB: every file is what was ingested"
    )


def bad_files(manifest: Manifest, data: StorageURI) -> list[BadFile]:
    """The files of a version that are missing or are not what was written, in the order of the clips."""
    listed = {entry.key: entry for entry in data.entries(f"{CLIPS}/")}
    with ThreadPoolExecutor(_AT_A_TIME, "verify") as pool:
        of_clips = list(pool.map(lambda clip: list(_bad_files_of(clip, data, listed)), manifest.clips))
    return [*_bad_table(manifest, data), *(bad for found in of_clips for bad in found)]


def _bad_files_of(clip: ManifestClip, data: StorageURI, listed: dict[str, Entry]) -> Iterator[BadFile]:
    if clip.file:
        found = listed.get(clip.file)
        if found is None:
            yield BadFile(clip.clip, clip.file, "it is missing")
        elif found.size != clip.file_bytes:
            yield BadFile(clip.clip, clip.file, f"it has {found.size} bytes, {clip.file_bytes} were ingested")
        elif data.sha256(found) != clip.sha256:
            yield BadFile(clip.clip, clip.file, "its sha256 differs")


def _bad_table(manifest: Manifest, data: StorageURI) -> Iterator[BadFile]:
    table = manifest.quarantine
    try:
        content = data.read(table.file)
    except FileNotFoundError:
        yield BadFile("", table.file, "it is missing")
        return
    if hashlib.sha256(content).hexdigest() != table.sha256:
        yield BadFile("", table.file, "its sha256 differs")
