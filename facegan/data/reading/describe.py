"""The contents of a data set as lines of text: clips, people, frames, sizes, rejected frames, and landmark statistics."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegan.data.ingest.clip_record import Quarantined
from facegan.data.reading.face_data import FaceData
from facegan.data.versions.manifest import Manifest
from facegan.landmarks.points import EYE_CORNERS, NOSE_TIP

_EXAMPLES = 3


def describe(data: FaceData, quarantine: list[Quarantined]) -> list[str]:
    """Lines for the console; `quarantine` are the rows of the quarantine table."""
    manifest = data.manifest
    how = ", ".join(f"{name} {value}" for name, value in asdict(manifest.ingest).items())
    kind = "SYNTHETIC faces, rendered by a program" if data.synthetic else "frames of real people"
    return [
        f"{kind}; {how}",
        *_sources(manifest),
        "",
        *_categories(manifest),
        "",
        f"{manifest.frames_read} frames read = {manifest.rows} written + {manifest.quarantined} quarantined",
        *_quarantine(quarantine),
        "",
        *_sizes(manifest),
        "",
        *_landmarks(np.asarray(data.points), data.size),
    ]


def _sources(manifest: Manifest) -> Iterator[str]:
    for uri, source in manifest.sources.items():
        yield f"source   {uri}, when it was ingested last: {source.counts()}"
        yield from (f"         left out: {line}" for line in source.lines())


def _categories(manifest: Manifest) -> list[str]:
    lines = [f"{'category':<14}{'split':<8}{'clips':>7}{'people':>8}{'frames':>9}{'quarantined':>13}   frames a clip"]
    for category in sorted({clip.category for clip in manifest.clips}, key=lambda name: (name != "train", name)):
        clips = [clip for clip in manifest.clips if clip.category == category]
        rows, bad = [clip.rows for clip in clips], sum(clip.quarantined for clip in clips)
        people = len({clip.person for clip in clips})
        spread = f"{min(rows)} to {max(rows)}, median {np.median(rows):.0f}"
        lines.append(f"{category:<14}{clips[0].split:<8}{len(clips):>7}{people:>8}{sum(rows):>9}{bad:>13}   {spread}")
    return lines


def _quarantine(rows: list[Quarantined]) -> list[str]:
    lines = []
    for reason, count in Counter(row.reason for row in rows).most_common():
        first = [f"{row.where} frame {row.frame}" for row in rows if row.reason == reason][:_EXAMPLES]
        lines.append(f"  {count:>7} x {reason}: {', '.join(first)}{', ...' if count > _EXAMPLES else ''}")
    return lines


def _sizes(manifest: Manifest) -> list[str]:
    images = sum(clip.image_bytes for clip in manifest.clips)
    files = sum(clip.file_bytes for clip in manifest.clips)
    return [
        f"{images / manifest.rows / 1000:.1f} kB an image; images {images / 1e6:.1f} MB, files {files / 1e6:.1f} MB",
    ]


def _landmarks(points: NDArray[np.float32], size: int) -> list[str]:
    left, right = (points[:, corner] for corner in EYE_CORNERS)
    across = right - left
    distance = np.linalg.norm(across, axis=1)
    turn = ((points[:, NOSE_TIP] - (left + right) / 2) * across).sum(axis=1) / np.maximum(distance, 1e-6) ** 2
    tilt = np.degrees(np.arctan2(across[:, 1], across[:, 0]))
    outside = (np.abs(points - (size - 1) / 2) > size / 2).any(axis=2)
    return [
        f"{'landmarks':<44}{'5 %':>8}{'median':>9}{'95 %':>9}",
        _row("distance of the outer eye corners, pixels", distance),
        _row("tilt of the eyes, degrees", tilt),
        _row("turn: nose tip sideways, in eye distances", turn),
        f"  outside of the crop: {outside.mean():.2%} of the landmarks, in {outside.any(axis=1).mean():.2%} of the frames",
    ]


def _row(name: str, values: NDArray[Any]) -> str:
    low, middle, high = np.percentile(values, [5, 50, 95])
    return f"  {name:<42}{low:>8.2f}{middle:>9.2f}{high:>9.2f}"
