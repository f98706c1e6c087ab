"""The clips of a source, a folder or a bucket, and the files of a clip on the disk of the node that ingests it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cluster.storage.objects import Entry
from cluster.storage.uri import StorageURI, storage_uri
from facegan.data.ingest.listing import Refused, SourceFile, shown
from facegan.data.ingest.sources import ClipSource, FoundClips, find_clips, found_in
from facegan.data.ingest.split import SPLIT_FILE
from facegan.errors import UserError
from facegan.synthetic.config import MARKER

_BAD_KEY = "its key has an empty part, a part of dots or one that ends with .partial"
_DOWNLOADS = 16
"""Files of a clip downloaded at a time; a clip has thousands of small annotations."""


def clips_of(source: StorageURI) -> FoundClips:
    """The clips of a source, and what is left out. Raises UserError if there is no clip or if one is not in the split."""
    if not source.is_remote:
        return found_in(source.folder)
    source.check()
    entries, unusable = source.listing()
    if not entries:
        raise UserError(f"--source is {str(source)!r}: nothing lies there; give a prefix in the 300VW layout or of videos")
    split = source.read(SPLIT_FILE) if any(entry.key == SPLIT_FILE for entry in entries) else None
    refused = [Refused(shown(key), _BAD_KEY, clip=False) for key in unusable]
    return find_clips([SourceFile(e.key, e.size, e.tag) for e in entries], refused, split, str(source))


def check_source(source: str) -> None:
    """Raise UserError unless a source, if one is given, has clips to train on and clips to test on."""
    if not source:
        return
    splits = {clip.split for clip in clips_of(storage_uri("--source", source)).clips}
    for split in ("train", "test"):
        if split not in splits:
            raise UserError(f"--source is {source!r}: it has no {split} clip, and a study needs people for both")


def is_rendered(source: StorageURI) -> bool:
    """Whether the clips are of synthetic people."""
    return source.exists(MARKER)


def local_root(clip: ClipSource, source: StorageURI, scratch: Path) -> Path:
    """A folder with the clip's files under their keys: the source itself, or `scratch` after a download."""
    if not source.is_remote:
        return source.folder

    def fetch(file: SourceFile) -> None:
        source.copy(Entry(file.key, file.size, file.tag), scratch / file.key)

    with ThreadPoolExecutor(_DOWNLOADS) as pool:
        list(pool.map(fetch, clip.files))
    return scratch
