"""A folder in the 300VW layout: `<id>/vid.avi`, `<id>/annot/000001.pts` and who is for training, who for testing."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.config import UserError, did_you_mean
from facegan.landmarks import BadAnnotation, read_pts

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


@dataclass(frozen=True, slots=True)
class ClipSource:
    """A clip on disk and its place in the split: `category` is 'train' or the test category it belongs to."""

    clip: str
    folder: Path
    category: str

    @property
    def split(self) -> str:
        """'train' or 'test'."""
        return "train" if self.category == "train" else "test"


@dataclass(frozen=True, slots=True)
class Frame:
    """An annotated frame: number in its clip from 1, image [height, width, 3] uint8 BGR, points [68, 2]."""

    number: int
    image: NDArray[np.uint8]
    points: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A frame (or with frame 0 a whole clip) that was not ingested, and why."""

    clip: str
    frame: int
    reason: str


def find_clips(root: Path) -> list[ClipSource]:
    """The clips of a 300VW folder in order of their ids; a UserError names what is missing."""
    if not root.is_dir():
        raise UserError(f"--source is {str(root)!r}: no such folder; give one in the 300VW layout (<id>/vid.avi, <id>/annot)")
    folders = sorted(p for p in root.iterdir() if p.is_dir() and ((p / "vid.avi").exists() or (p / "annot").is_dir()))
    if not folders:
        raise UserError(f"--source is {str(root)!r}: it holds no clip (<id>/vid.avi and <id>/annot/000001.pts)")
    categories = _categories(root)
    unknown = [p.name for p in folders if p.name not in categories]
    if unknown:
        raise UserError(
            f"--source: clips {', '.join(unknown[:5])} are not in 300VW's split; name them in {root / SPLIT_FILE} "
            '({"train": [ids], "test": [ids]})'
        )
    return [ClipSource(p.name, p, categories[p.name]) for p in folders]


def _categories(root: Path) -> dict[str, str]:
    own = root / SPLIT_FILE
    if not own.exists():
        return {clip: category for category, clips in _OFFICIAL.items() for clip in clips.split()}
    try:
        lists = json.loads(own.read_text())
        named = [(str(clip), str(category)) for category, clips in lists.items() for clip in clips]
    except (ValueError, AttributeError, TypeError):
        raise UserError(f'{own} is not {{"train": [ids], "test": [ids]}}; mend or remove it') from None
    for category in lists:
        if category not in _CATEGORIES:
            raise UserError(f"{own} has {category!r}: {did_you_mean(category, list(_CATEGORIES))}")
    twice = sorted({clip for clip, _ in named if sum(clip == other for other, _ in named) > 1})
    if twice:
        raise UserError(f"{own} names {', '.join(twice[:5])} twice: a clip is for training or for testing")
    return dict(named)


def fingerprint(clips: list[ClipSource]) -> str:
    """A hash that changes when a clip, an annotation or the split does: names, sizes and times of change."""
    seen = []
    for clip in clips:
        files = [clip.folder / "vid.avi", *sorted((clip.folder / "annot").glob("*.pts"))]
        stats = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files if f.exists()]
        seen.append((clip.clip, clip.category, stats))
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:16]


def read_frames(source: ClipSource) -> Iterator[Frame | LeftOut]:
    """The clip's frames in order, each decoded and annotated or left out with the reason; every one is accounted for."""
    video = cv2.VideoCapture(str(source.folder / "vid.avi"))
    claimed = max(0, int(video.get(cv2.CAP_PROP_FRAME_COUNT))) if video.isOpened() else 0
    annotated = {int(p.stem) for p in (source.folder / "annot").glob("*.pts") if p.stem.isdigit()}
    if not claimed:
        yield LeftOut(source.clip, 0, "video missing or unreadable")
        return
    number, shape = 0, None
    while True:
        ok, image = video.read()
        if not ok:
            break
        number += 1
        shape = shape or image.shape
        yield _annotate(source, number, np.asarray(image, np.uint8), shape)
    video.release()
    for missing in sorted(set(range(number + 1, claimed + 1)) | {n for n in annotated if n > number}):
        yield LeftOut(source.clip, missing, "video ends before this frame")


def _annotate(source: ClipSource, number: int, image: NDArray[np.uint8], shape: tuple[int, ...]) -> Frame | LeftOut:
    if image.shape != shape:
        return LeftOut(source.clip, number, "frame has another size than the first")
    try:
        points = read_pts(source.folder / "annot" / f"{number:06d}.pts")
    except BadAnnotation as reason:
        return LeftOut(source.clip, number, str(reason))
    inside = ((points >= 0) & (points <= [image.shape[1] - 1, image.shape[0] - 1])).all(axis=1)
    if inside.mean() < 0.5:
        return LeftOut(source.clip, number, "most landmarks lie outside the image")
    return Frame(number, image, points)
