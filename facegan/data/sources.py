"""The clips of a source: a folder or a bucket in the 300VW layout, or plain videos; and who is for training, who for testing.

<id>/vid.avi with <id>/annot/000001.pts     300VW
<id>.mp4, <id>/anything.mov, <id>/*.png     videos and folders of images, for --landmarks dlib or face-alignment
"""

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from facegan.errors import UserError, did_you_mean
from facegan.files import file_sha256, read_bytes

_OFFICIAL = {
    "train": """001 002 003 004 007 009 010 011 013 015 016 017 018 019 020 022 025 027 028 029 031 033 034 035 037 039 041
        043 044 046 047 048 049 053 057 059 112 113 115 119 120 123 138 143 144 160 204 205 223 225""",
    "category_1": """114 124 125 126 150 158 401 402 505 506 507 508 509 510 511 514 515 518 519 520 521 522 524 525 537 538
        540 541 546 547 548""",
    "category_2": "203 208 211 212 213 214 218 224 403 404 405 406 407 408 409 412 550 551 553",
    "category_3": "410 411 516 517 526 528 529 530 531 533 557 558 559 562",
}
SPLIT_FILE = "split.json"
_CATEGORIES = ("train", "test", "category_1", "category_2", "category_3")
VIDEOS = (".avi", ".mp4", ".mov", ".mkv")
_SMALL = 1 << 16
IMAGES = (".png", ".jpg", ".jpeg", ".bmp")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a source: its key relative to the source, bytes, and a tag that changes with the content."""

    key: str
    size: int
    tag: str


@dataclass(frozen=True, slots=True)
class ClipSource:
    """A clip and its place in the split. `video` is the key of a video file, or of the folder that holds its images."""

    clip: str
    category: str
    """'train' or the test category that it belongs to."""
    video: str
    files: tuple[SourceFile, ...]
    """The video or images, and the .pts files, by key."""

    @property
    def split(self) -> str:
        """'train' or 'test'."""
        return "train" if self.category == "train" else "test"

    def annotations(self) -> dict[int, str]:
        """The keys of the .pts files by the frame's number, which counts from 1."""
        names = ((file.key, file.key.rpartition("/")[2]) for file in self.files if file.key.endswith(".pts"))
        return {int(name[:-4]): key for key, name in names if name[:-4].isdecimal()}


def clips_in(folder: Path) -> list[ClipSource]:
    """The clips of a folder."""
    if not folder.is_dir():
        raise UserError(
            f"--source is {str(folder)!r}: no such folder; give one in the 300VW layout (<id>/vid.avi, <id>/annot) or of videos"
        )
    split = folder / SPLIT_FILE
    return find_clips(files_of(folder), split.read_bytes() if split.exists() else None, str(folder))


def files_of(folder: Path) -> list[SourceFile]:
    """All files below a folder by key; links are followed, because clips often lie on another disk."""
    found = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(parent, name) for name in names):
            if path.is_file():
                stat = path.stat()
                found.append(SourceFile(path.relative_to(folder).as_posix(), stat.st_size, str(stat.st_mtime_ns)))
    return sorted(found, key=lambda file: file.key)


def find_clips(files: Iterable[SourceFile], split: bytes | None, source: str) -> list[ClipSource]:
    """The clips that a listing shows, by id; `split` is the content of its split.json. A UserError names what is missing."""
    of_clip: dict[str, list[SourceFile]] = defaultdict(list)
    for file in files:
        path = PurePosixPath(file.key)
        if path.suffix.lower() in (*VIDEOS, *IMAGES, ".pts"):
            of_clip[path.parts[0] if len(path.parts) > 1 else path.stem].append(file)
    videos = {clip: _video(source, clip, found) for clip, found in sorted(of_clip.items())}
    videos = {clip: video for clip, video in videos.items() if video}
    if not videos:
        raise UserError(f"--source is {source!r}: it holds no clip (<id>/vid.avi and <id>/annot/000001.pts, or <id>.mp4)")
    categories = _categories(split, source)
    unknown = [clip for clip in videos if clip not in categories]
    if unknown:
        raise UserError(
            f"--source: clips {', '.join(unknown[:5])} are not in 300VW's split; name them in {source}/{SPLIT_FILE} "
            '({"train": [ids], "test": [ids]})'
        )
    return [ClipSource(clip, categories[clip], video, tuple(of_clip[clip])) for clip, video in videos.items()]


def _video(source: str, clip: str, files: list[SourceFile]) -> str:
    """The key of the clip's one video, or of its folder of images; 300VW's name where only annotations are there."""
    paths = [PurePosixPath(file.key) for file in files]
    videos = [path for path in paths if path.suffix.lower() in VIDEOS]
    if len(videos) > 1:
        raise UserError(f"--source is {source!r}: clip {clip} has {len(videos)} videos ({videos[0]}, {videos[1]}); keep one")
    if videos:
        return str(videos[0])
    folders = sorted({path.parent for path in paths if path.suffix.lower() in IMAGES and len(path.parts) > 1})
    if len(folders) > 1:
        raise UserError(f"--source is {source!r}: clip {clip} has images in {folders[0]} and {folders[1]}; keep one folder")
    if folders:
        return str(folders[0])
    return f"{clip}/vid.avi" if any(path.suffix == ".pts" for path in paths) else ""


def _categories(split: bytes | None, source: str) -> dict[str, str]:
    if split is None:
        return {clip: category for category, clips in _OFFICIAL.items() for clip in clips.split()}
    own = f"{source}/{SPLIT_FILE}"
    try:
        lists = json.loads(split)
        named = [(str(clip), str(category)) for category, clips in lists.items() for clip in clips]
    except (ValueError, AttributeError, TypeError):
        raise UserError(f'{own} is not {{"train": [ids], "test": [ids]}}; mend or remove it') from None
    for category in lists:
        if category not in _CATEGORIES:
            raise UserError(f"{own} has {category!r}: {did_you_mean(category, list(_CATEGORIES))}")
    categories = dict(named)
    if len(categories) < len(named):
        ids = [clip for clip, _ in named]
        twice = sorted({clip for clip in ids if ids.count(clip) > 1})
        raise UserError(f"{own} names {', '.join(twice[:5])} twice: a clip is for training or for testing")
    return categories


def fingerprint(clips: list[ClipSource]) -> str:
    """A hash that changes when a file of a clip or the split does, by names, sizes and tags: cheap, nothing is read."""
    seen = [(c.clip, c.category, [(f.key, f.size, f.tag) for f in c.files]) for c in clips]
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]


def content_hash(clip: ClipSource, root: Path) -> str:
    """A hash of the clip's files' names and bytes, wherever they lie."""
    digest = hashlib.sha256()
    for file in clip.files:
        digest.update(f"{file.key}\0{_sha256(f'{root}/{file.key}', file.size)}\n".encode())
    return digest.hexdigest()


def _sha256(path: str, size: int) -> str:
    if size < _SMALL:  # thousands of .pts files: what pathlib and file_digest take would be a tenth of the ingest
        return hashlib.sha256(read_bytes(path)).hexdigest()
    return file_sha256(Path(path))


def tag_hash(clip: ClipSource) -> str:
    """The same from a bucket's ETags, which are hashes of the content already: nothing is downloaded."""
    return hashlib.sha256("".join(f"{f.key}\0{f.size}\0{f.tag}\n" for f in clip.files).encode()).hexdigest()
