"""The clips of a source, a folder or a bucket, and which of them are for training and which for testing.

<id>/vid.avi with <id>/annot/000001.pts     the 300VW layout
<id>.mp4, <id>/anything.mov, <id>/*.png     videos and folders of images, whose landmarks are found by a detector
split.json                                  the split and the people (see `read_split`); without it 300VW's official split
"""

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from facegan.errors import UserError, did_you_mean
from facegan.files import file_sha256, read_bytes

SplitName = Literal["train", "test"]

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
IMAGES = (".png", ".jpg", ".jpeg", ".bmp")
_SMALL_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a source: its path relative to the source, its size in bytes, and a tag that changes with the content."""

    key: str
    size: int
    tag: str


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
        names = ((file.key, file.key.rpartition("/")[2]) for file in self.files if file.key.endswith(".pts"))
        return {int(name[:-4]): key for key, name in names if name[:-4].isdecimal()}


@dataclass(frozen=True, slots=True)
class Split:
    """The content of split.json: the category of each clip, and the person of those clips that are not one person each."""

    categories: dict[str, str]
    people: dict[str, str]

    def person_of(self, clip: str) -> str:
        """The person in a clip; by default the clip's own name."""
        return self.people.get(clip, clip)


def clips_in(folder: Path) -> list[ClipSource]:
    """The clips of a folder, by name. Raises UserError if there is none or if one is not in the split."""
    if not folder.is_dir():
        raise UserError(
            f"--source is {str(folder)!r}: no such folder; give one in the 300VW layout (<id>/vid.avi, <id>/annot) or of videos"
        )
    split = folder / SPLIT_FILE
    return find_clips(files_of(folder), split.read_bytes() if split.exists() else None, str(folder))


def files_of(folder: Path) -> list[SourceFile]:
    """All files below a folder, by key. Links are followed, since clips are often stored on another disk."""
    found = []
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(parent, name) for name in names):
            if path.is_file():
                stat = path.stat()
                found.append(SourceFile(path.relative_to(folder).as_posix(), stat.st_size, str(stat.st_mtime_ns)))
    return sorted(found, key=lambda file: file.key)


def find_clips(files: Iterable[SourceFile], split: bytes | None, source: str) -> list[ClipSource]:
    """The clips in a listing of files, by name; `split` is the content of split.json, None for 300VW's official split.

    Raises UserError if there is no clip, if a clip has several videos, or if the split does not fit.
    """
    of_clip: dict[str, list[SourceFile]] = defaultdict(list)
    for file in files:
        path = PurePosixPath(file.key)
        if path.suffix.lower() in (*VIDEOS, *IMAGES, ".pts"):
            of_clip[path.parts[0] if len(path.parts) > 1 else path.stem].append(file)
    videos = {clip: _video(source, clip, found) for clip, found in sorted(of_clip.items())}
    videos = {clip: video for clip, video in videos.items() if video}
    if not videos:
        raise UserError(f"--source is {source!r}: it holds no clip (<id>/vid.avi and <id>/annot/000001.pts, or <id>.mp4)")
    read = _official_split() if split is None else read_split(split, f"{source}/{SPLIT_FILE}")
    unknown = [clip for clip in videos if clip not in read.categories]
    if unknown:
        raise UserError(
            f"--source: clips {', '.join(unknown[:5])} are not in 300VW's split; name them in {source}/{SPLIT_FILE} "
            '({"train": [ids], "test": [ids]})'
        )
    return [
        ClipSource(clip, read.person_of(clip), read.categories[clip], video, tuple(of_clip[clip]))
        for clip, video in videos.items()
    ]


def _video(source: str, clip: str, files: list[SourceFile]) -> str:
    """The key of the clip's one video or folder of images; '<clip>/vid.avi' if only annotations exist, '' if nothing does."""
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


def _official_split() -> Split:
    return Split({clip: category for category, clips in _OFFICIAL.items() for clip in clips.split()}, {})


def read_split(content: bytes, file: str) -> Split:
    """The split in the content of a split.json; `file` names it in messages.

    {"train": [clips], "test": [clips], "people": {clip: person}}; instead of "test" also 300VW's "category_1" to "category_3".
    "people" is optional and need name only clips that share a person with another one.
    Raises UserError for other content, a clip named twice, an unknown clip, or a person in both training and test clips.
    """
    try:
        lists = json.loads(content)
        people = lists.pop("people", {})
        named = [(str(clip), str(category)) for category, clips in lists.items() for clip in clips]
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise UserError(f'{file} is not {{"train": [ids], "test": [ids]}}; correct or remove it') from None
    for category in lists:
        if category not in _CATEGORIES:
            raise UserError(f"{file} has {category!r}: {did_you_mean(category, [*_CATEGORIES, 'people'])}")
    categories = dict(named)
    if len(categories) < len(named):
        ids = [clip for clip, _ in named]
        twice = sorted({clip for clip in ids if ids.count(clip) > 1})
        raise UserError(f"{file} names {', '.join(twice[:5])} twice: a clip is for training or for testing")
    if not isinstance(people, dict) or not all(isinstance(person, str) and person for person in people.values()):
        raise UserError(f'{file}: "people" is not {{"<clip>": "<person>"}}; write a name for each clip, or leave "people" out')
    unknown = sorted(set(people) - set(categories))
    if unknown:
        raise UserError(f'{file}: "people" names {", ".join(map(repr, unknown[:5]))}, not in the split; add or remove them')
    split = Split(categories, people)
    check_people(((clip, split.person_of(clip), category == "train") for clip, category in named), file)
    return split


def check_people(clips: Iterable[tuple[str, str, bool]], where: str) -> None:
    """Raise UserError if a person is in training and test clips; `clips` are (clip, person, whether it is for training)."""
    first: dict[tuple[str, bool], str] = {}
    for clip, person, train in clips:
        first.setdefault((person, train), clip)
        other = first.get((person, not train))
        if other is not None:
            training, test = (clip, other) if train else (other, clip)
            raise UserError(
                f"{where}: person {person!r} is in training clip {training!r} and in test clip {test!r}; "
                "move all clips of a person to one side of the split"
            )


def fingerprint(clips: list[ClipSource]) -> str:
    """A hash of the clips' names, people, categories and of their files' names, sizes and tags. Reads no file's content."""
    seen = [(c.clip, c.person, c.category, [(f.key, f.size, f.tag) for f in c.files]) for c in clips]
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]


def content_hash(clip: ClipSource, root: Path) -> str:
    """SHA-256 of the keys and contents of a clip's files below `root`."""
    digest = hashlib.sha256()
    for file in clip.files:
        path = f"{root}/{file.key}"
        # Thousands of .pts files: pathlib and file_digest would take a tenth of the time of an ingest.
        content = hashlib.sha256(read_bytes(path)).hexdigest() if file.size < _SMALL_BYTES else file_sha256(Path(path))
        digest.update(f"{file.key}\0{content}\n".encode())
    return digest.hexdigest()


def tag_hash(clip: ClipSource) -> str:
    """SHA-256 of the keys, sizes and ETags of a clip's files in a bucket: an ETag is a hash of the content already."""
    return hashlib.sha256("".join(f"{f.key}\0{f.size}\0{f.tag}\n" for f in clip.files).encode()).hexdigest()
