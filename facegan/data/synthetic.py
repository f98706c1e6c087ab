"""Rendered stand-in for 300VW: the same folders, filled with moving synthetic people and exact landmarks."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.data.synthetic_face import pose_head
from facegan.data.synthetic_motion import invent_motion
from facegan.data.synthetic_paint import invent_background, invent_strands, paint_person
from facegan.data.synthetic_person import invent_person

GENERATOR_VERSION = 1
MARKER = "synthetic.json"
FRAMES_PER_SECOND = 25
FIRST_TRAIN_ID, FIRST_TEST_ID = 1001, 5001


@dataclass(frozen=True)
class ClipJob:
    """All that a worker needs to render one clip; the clip's number alone picks its random stream."""

    folder: Path
    number: int
    seed: int
    frames: int
    size: int


def write_synthetic(
    root: Path,
    *,
    people: int,
    test_people: int,
    frames: int,
    size: int = 160,
    seed: int = 0,
    workers: int | None = None,
    on_clip: Callable[[int, int], None] | None = None,
) -> None:
    """Render one clip a person below `root`; `on_clip(done, total)` is called after each."""
    train = [str(FIRST_TRAIN_ID + number) for number in range(people)]
    test = [str(FIRST_TEST_ID + number) for number in range(test_people)]
    root.mkdir(parents=True, exist_ok=True)
    (root / MARKER).unlink(missing_ok=True)
    jobs = [ClipJob(root / clip, int(clip), seed, frames, size) for clip in train + test]
    _render_all(jobs, workers or os.cpu_count() or 1, on_clip)
    _write_json(root / "split.json", {"train": train, "test": test})
    facts = {"seed": seed, "people": people, "test_people": test_people, "frames": frames, "size": size}
    _write_json(root / MARKER, {"synthetic": True, "generator_version": GENERATOR_VERSION, **facts})


def is_synthetic(root: Path) -> bool:
    """Whether a folder holds a complete rendered set."""
    return (root / MARKER).is_file()


def render_clip(job: ClipJob) -> None:
    """Render one clip and its landmarks, replacing whatever its folder holds."""
    cv2.setNumThreads(1)
    (job.folder / "annot").mkdir(parents=True, exist_ok=True)
    for stale in (job.folder / "annot").glob("*.pts"):
        stale.unlink()
    height, width = job.size, job.size * 5 // 4
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    video = cv2.VideoWriter(str(job.folder / "vid.avi"), codec, FRAMES_PER_SECOND, (width, height))
    if not video.isOpened():
        raise OSError(f"cannot write {job.folder / 'vid.avi'}: this OpenCV has no MJPG encoder")
    for index, (picture, landmarks) in enumerate(_film(job, height, width), start=1):
        video.write(picture)
        (job.folder / "annot" / f"{index:06d}.pts").write_text(format_points(landmarks))
    video.release()


def format_points(landmarks: NDArray[np.float64]) -> str:
    """The text of a .pts file, whose pixel centres count from 1, for landmarks that count from 0."""
    rows = "\n".join(f"{x:.3f} {y:.3f}" for x, y in landmarks + 1)
    return f"version: 1\nn_points: {len(landmarks)}\n{{\n{rows}\n}}\n"


def _film(job: ClipJob, height: int, width: int):  # type: ignore[no-untyped-def]
    rng = np.random.default_rng([job.seed, job.number])
    person, moments = invent_person(rng), invent_motion(rng, job.frames)
    background, strands = invent_background(rng, height, width), invent_strands(rng, height, width)
    tint = np.float32(rng.uniform(0.93, 1.07, 3))
    blur, noise = float(rng.uniform(0.3, 0.7)), float(rng.uniform(1.0, 3.5))
    for moment in moments:
        head = pose_head(person.build, moment, width, height)
        lit = paint_person(head, person, background, strands) * tint
        seen = cv2.GaussianBlur(lit, (0, 0), blur) + noise * rng.standard_normal(lit.shape, np.float32)
        yield np.clip(np.rint(seen), 0, 255).astype(np.uint8), head.landmarks()


def _render_all(jobs: list[ClipJob], workers: int, on_clip: Callable[[int, int], None] | None) -> None:
    with ProcessPoolExecutor(min(workers, len(jobs)) or 1, get_context("spawn")) as pool:
        for done, future in enumerate(as_completed([pool.submit(render_clip, job) for job in jobs]), start=1):
            future.result()
            if on_clip is not None:
                on_clip(done, len(jobs))


def _write_json(path: Path, content: object) -> None:
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(content, indent=1))
    os.replace(unfinished, path)
