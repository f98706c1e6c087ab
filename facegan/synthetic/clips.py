"""Rendered clips in the layout of 300VW: videos of synthetic people in motion, with exact landmarks."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from facegan.files import write_json
from facegan.synthetic.canvas import Array, Pixels
from facegan.synthetic.config import GENERATOR_VERSION, MARKER
from facegan.synthetic.face import neutral_points, pose_head
from facegan.synthetic.motion import random_motion
from facegan.synthetic.paint import paint_person
from facegan.synthetic.person import random_person
from facegan.synthetic.scene import random_background, random_camera, random_strands

FRAMES_PER_SECOND = 25
FIRST_TRAIN_ID, FIRST_TEST_ID = 1001, 5001


@dataclass(frozen=True)
class ClipJob:
    """What a worker needs to render one clip. `seed` and `number` choose the random stream; `size` is the height in pixels."""

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
    """Render one clip per person below `root`, in `workers` processes (None: one per core), and write split.json.

    `on_clip(done, total)` is called after each clip. The marker file is written last, so an unfinished set has none.
    """
    train = [str(FIRST_TRAIN_ID + number) for number in range(people)]
    test = [str(FIRST_TEST_ID + number) for number in range(test_people)]
    root.mkdir(parents=True, exist_ok=True)
    (root / MARKER).unlink(missing_ok=True)
    jobs = [ClipJob(root / clip, int(clip), seed, frames, size) for clip in train + test]
    with ProcessPoolExecutor(min(workers or os.cpu_count() or 1, len(jobs)) or 1, get_context("spawn")) as pool:
        for done, future in enumerate(as_completed([pool.submit(render_clip, job) for job in jobs]), start=1):
            future.result()
            if on_clip is not None:
                on_clip(done, len(jobs))
    write_json(root / "split.json", {"train": train, "test": test})
    facts = {"seed": seed, "people": people, "test_people": test_people, "frames": frames, "size": size}
    write_json(root / MARKER, {"synthetic": True, "generator_version": GENERATOR_VERSION, **facts})


def render_clip(job: ClipJob) -> None:
    """Write the video and the .pts files of a clip into its folder, replacing earlier ones.

    Raises OSError if OpenCV cannot write the video.
    """
    cv2.setNumThreads(1)
    (job.folder / "annot").mkdir(parents=True, exist_ok=True)
    for stale in (job.folder / "annot").glob("*.pts"):
        stale.unlink()
    height, width = frame_shape(job.size)
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    video = cv2.VideoWriter(str(job.folder / "vid.avi"), codec, FRAMES_PER_SECOND, (width, height))
    if not video.isOpened():
        raise OSError(f"cannot write {job.folder / 'vid.avi'}: this OpenCV has no MJPG encoder")
    for index, (picture, landmarks) in enumerate(film(job), start=1):
        video.write(picture)
        (job.folder / "annot" / f"{index:06d}.pts").write_text(format_points(landmarks))
    video.release()


def format_points(landmarks: Array) -> str:
    """The text of a .pts file, whose coordinates count from 1, for landmarks [68, 2] that count from 0."""
    rows = "\n".join(f"{x:.3f} {y:.3f}" for x, y in landmarks + 1)
    return f"version: 1\nn_points: {len(landmarks)}\n{{\n{rows}\n}}\n"


def film(job: ClipJob) -> Iterator[tuple[Pixels, Array]]:
    """The frames of a clip, BGR [height, width, 3], with their landmarks [68, 2] in pixels; whole numbers are pixel centres."""
    rng = np.random.default_rng([job.seed, job.number])
    height, width = frame_shape(job.size)
    # The order of these calls is part of GENERATOR_VERSION: they draw from one random stream.
    person = random_person(rng)
    moments = random_motion(rng, job.frames)
    camera = random_camera(rng, height, width)
    background = random_background(rng, height, width)
    strands = random_strands(rng, height, width)
    neutral = neutral_points(person.build)
    for moment in moments:
        head = pose_head(neutral, moment, width, height)
        landmarks = head.landmarks()
        light = paint_person(head, landmarks, person, background, strands)
        yield camera.record(light, rng), landmarks


def frame_shape(size: int) -> tuple[int, int]:
    """Height and width of a frame in pixels: wider than high, as in 300VW, so that crops are needed."""
    return size, size * 5 // 4
