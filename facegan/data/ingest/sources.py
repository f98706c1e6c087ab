"""The clips of a source, a folder or a bucket. Whatever in it is not ingested is named with the reason.

<id>/vid.avi with <id>/annot/000001.pts     the 300VW layout
<id>.mp4, <id>/anything.mov, <id>/*.png     videos and folders of images, whose landmarks are found by a detector
split.json                                  the split and the people (`facegan/data/ingest/split.py`); by default 300VW's split

Files and folders whose names begin with a dot belong to the system and are not looked at.
"""

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from facegan.data.ingest.listing import Refused, SourceFile, files_of, shown, storable
from facegan.data.ingest.split import SPLIT_FILE, SplitName, official_split, read_split
from facegan.errors import UserError
from facegan.files import file_sha256, read_bytes

VIDEOS = (".avi", ".mp4", ".mov", ".mkv")
IMAGES = (".png", ".jpg", ".jpeg", ".bmp")
NO_CLIP = "it holds neither a video, nor images, nor annotations"
NOT_NEEDED = "it is no video, no image and no .pts file"
OUTSIDE_OF_A_CLIP = "it lies outside of a clip's folder"
NO_NUMBER = "its name is no frame number"
_OTHER_FILES = (SPLIT_FILE, "synthetic.json")
_HIGHEST_FRAME = 2**31 - 1
_SMALL_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class ClipSource:
    """A clip of a source, its person and its place in the split.

    `category` is 'train', or the test category of the clip. `video` is the key of a video file or of a folder of images.
    `files` holds the video or the images, and the .pts files, by key.
    """

    clip: str
    person: str
    category: str
    video: str
    files: tuple[SourceFile, ...]

    @property
    def split(self) -> SplitName:
        """The side of the split."""
        return "train" if self.category == "train" else "test"

    def annotations(self) -> dict[int, str]:
        """The keys of the .pts files by frame number, which counts from 1."""
        return {int(PurePosixPath(file.key).stem): file.key for file in self.files if file.key.endswith(".pts")}


@dataclass(frozen=True, slots=True)
class FoundClips:
    """The clips of a source by name, and what is left out of it. Every clip that was found is in one of both."""

    clips: list[ClipSource]
    refused: list[Refused]


def clips_in(folder: Path) -> list[ClipSource]:
    """The clips of a folder, by name. Raises UserError as `find_clips` does."""
    return found_in(folder).clips


def found_in(folder: Path) -> FoundClips:
    """What a folder holds. Raises UserError if there is no clip, if one is not in the split, or if the split is damaged."""
    if not os.path.isdir(folder):  # Path.is_dir raises OSError for a name that is too long
        raise UserError(
            f"--source is {str(folder)!r}: no such folder; give one in the 300VW layout (<id>/vid.avi, <id>/annot) or of videos"
        )
    files, refused = files_of(folder, (*VIDEOS, *IMAGES, ".pts"))
    split = None
    if any(file.key == SPLIT_FILE for file in files):
        try:
            split = (folder / SPLIT_FILE).read_bytes()
        except OSError as error:
            raise UserError(f"{folder / SPLIT_FILE}: {error.strerror or error}; correct or remove it") from None
    return find_clips(files, refused, split, str(folder))


def find_clips(files: Iterable[SourceFile], refused: Iterable[Refused], split: bytes | None, source: str) -> FoundClips:
    """The clips in a listing of files; `refused` is what the listing has left out already.

    `split` is the content of split.json, None for 300VW's official split. Raises UserError if there is no clip, if a clip has
    several videos or several folders of images or annotations, or if the split does not fit.
    """
    left_out = list(refused)
    for one in left_out:
        if one.where == SPLIT_FILE:
            raise UserError(f"{source}/{SPLIT_FILE}: {one.reason}; correct or remove it")
    of_clip = _by_clip(files, left_out)
    found: dict[str, tuple[str, tuple[SourceFile, ...]]] = {}
    for clip in sorted(of_clip):
        video, used = _files_of_clip(source, clip, of_clip[clip], left_out)
        if video:
            found[clip] = (video, used)
        else:
            left_out.append(Refused(clip, NO_CLIP, True))
    left_out.sort(key=lambda one: one.where)
    if not found:
        first = f"; {left_out[0].where}: {left_out[0].reason}" if left_out else ""
        raise UserError(
            f"--source is {source!r}: it holds no clip (<id>/vid.avi and <id>/annot/000001.pts, or <id>.mp4){first}"
        )
    read = official_split() if split is None else read_split(split, f"{source}/{SPLIT_FILE}")
    unknown = [clip for clip in found if clip not in read.categories]
    if unknown:
        raise UserError(
            f"--source: clips {', '.join(unknown[:5])} are not in 300VW's split; name them in {source}/{SPLIT_FILE} "
            '({"train": [ids], "test": [ids]})'
        )
    clips = [ClipSource(clip, read.person_of(clip), read.categories[clip], *parts) for clip, parts in found.items()]
    return FoundClips(clips, left_out)


def _by_clip(files: Iterable[SourceFile], left_out: list[Refused]) -> dict[str, list[SourceFile]]:
    """The files of each clip. Those that belong to none are added to `left_out`."""
    of_clip: dict[str, list[SourceFile]] = defaultdict(list)
    for file in files:
        path = PurePosixPath(file.key)
        alone = len(path.parts) == 1
        if any(part.startswith(".") for part in path.parts) or file.key in _OTHER_FILES:
            continue
        reason = storable(file.key)
        if reason:
            left_out.append(Refused(shown(path.parts[0] if alone else file.key), reason, alone))
        elif not alone:
            of_clip[path.parts[0]].append(file)
        elif path.suffix.lower() in VIDEOS:
            of_clip[path.stem].append(file)
        else:
            images = path.suffix.lower() in (*IMAGES, ".pts")
            left_out.append(Refused(file.key, OUTSIDE_OF_A_CLIP if images else NOT_NEEDED, False))
    return of_clip


def _files_of_clip(
    source: str, clip: str, files: list[SourceFile], left_out: list[Refused]
) -> tuple[str, tuple[SourceFile, ...]]:
    """The key of the clip's video or folder of images, and the files that are used; the others are added to `left_out`.

    The key is '<clip>/vid.avi' if only annotations exist, '' if nothing does.
    """
    kinds: dict[str, list[SourceFile]] = defaultdict(list)
    for file in files:
        suffix = PurePosixPath(file.key).suffix.lower()
        kinds["video" if suffix in VIDEOS else "image" if suffix in IMAGES else "pts" if suffix == ".pts" else ""].append(file)
    videos = kinds["video"]
    if len(videos) > 1:
        raise UserError(
            f"--source is {source!r}: clip {clip} has {len(videos)} videos ({videos[0].key}, {videos[1].key}); keep one"
        )
    annotations = _annotations(source, clip, kinds["pts"], left_out)
    left_out.extend(Refused(file.key, NOT_NEEDED, False) for file in kinds[""] if videos or kinds["image"] or annotations)
    if videos:
        left_out.extend(Refused(file.key, f"the clip has a video, {videos[0].key}", False) for file in kinds["image"])
        return videos[0].key, tuple(sorted([*videos, *annotations], key=lambda file: file.key))
    folders = sorted({str(PurePosixPath(file.key).parent) for file in kinds["image"]})
    if len(folders) > 1:
        raise UserError(f"--source is {source!r}: clip {clip} has images in {folders[0]} and {folders[1]}; keep one folder")
    used = tuple(sorted([*kinds["image"], *annotations], key=lambda file: file.key))
    return (folders[0] if folders else f"{clip}/vid.avi" if annotations else ""), used


def _annotations(source: str, clip: str, files: list[SourceFile], left_out: list[Refused]) -> list[SourceFile]:
    """The .pts files of <clip>/annot, or of the only folder that has any; one for each frame number."""
    of_folder: dict[str, list[SourceFile]] = defaultdict(list)
    for file in files:
        of_folder[str(PurePosixPath(file.key).parent)].append(file)
    standard = f"{clip}/annot"
    folder = standard if standard in of_folder else next(iter(of_folder), "")
    if folder != standard and len(of_folder) > 1:
        first, second = sorted(of_folder)[:2]
        raise UserError(f"--source is {source!r}: clip {clip} has annotations in {first} and {second}; keep one, {standard}")
    left_out.extend(Refused(other, f"the annotations of {standard} are used", False) for other in of_folder if other != folder)
    used: dict[int, SourceFile] = {}
    for file in of_folder.get(folder, ()):
        stem = PurePosixPath(file.key).stem
        number = int(stem) if stem.isdecimal() else _HIGHEST_FRAME + 1
        if number > _HIGHEST_FRAME:
            left_out.append(Refused(file.key, NO_NUMBER, False))
        elif number in used:
            left_out.append(Refused(file.key, f"{used[number].key} is of the same frame", False))
        else:
            used[number] = file
    return list(used.values())


def fingerprint(found: FoundClips) -> str:
    """A hash of the clips' names, people, categories and of their files' names, sizes and tags. Reads no file's content."""
    seen = [(c.clip, c.person, c.category, [(f.key, f.size, f.tag) for f in c.files]) for c in found.clips]
    return hashlib.sha256(repr((seen, found.refused)).encode()).hexdigest()[:16]


def content_hash(clip: ClipSource, root: Path) -> str:
    """SHA-256 of the keys and contents of a clip's files below `root`, wherever that is; a file may be unreadable."""
    digest = hashlib.sha256()
    for file in clip.files:
        path = f"{root}/{file.key}"
        try:
            # Thousands of .pts files: pathlib and file_digest would take a tenth of the time of an ingest.
            content = hashlib.sha256(read_bytes(path)).hexdigest() if file.size < _SMALL_BYTES else file_sha256(Path(path))
        except OSError:
            content = "unreadable"  # its frames are quarantined, and the clip is ingested again once it can be read
        digest.update(f"{file.key}\0{content}\n".encode())
    return digest.hexdigest()


def tag_hash(clip: ClipSource) -> str:
    """SHA-256 of the keys, sizes and tags of a clip's files. It changes whenever a file does, and needs no content."""
    return hashlib.sha256("".join(f"{f.key}\0{f.size}\0{f.tag}\n" for f in clip.files).encode()).hexdigest()
