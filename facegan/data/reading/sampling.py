"""The frames of each training step: a function of seed and step alone.

The global batch does not depend on the rank, the number of workers or the time; each rank takes its part. So a loader has no
state to save, all arms of a seed see the same batches, and a run can be resumed with another number of workers.
"""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from facegan.config import Config
from facegan.data.reading.batch import Batch, Triplets
from facegan.data.reading.face_data import FaceData
from facegan.errors import UserError

PREFETCH = 3
"""Batches that are decoded ahead."""


def training_clips(data: FaceData, config: Config) -> list[NDArray[np.int64]]:
    """Rows of each training clip that has at least three frames.

    Raises UserError if there is none, or if the images have another size than the configuration.
    """
    if data.size != config.data.size:
        raise UserError(f"--data holds images of {data.size} pixels, data.size is {config.data.size}: make them equal")
    clips = data.clips("train", config.data.validation_fraction)
    usable = [rows for rows in clips.values() if len(rows) >= 3]
    if not usable:
        raise UserError(
            "--data has no training clip with three frames or more; see its quarantine table (jobs/describe.py shows it)"
        )
    return usable


def sample(clips: list[NDArray[np.int64]], seed: int, step: int, batch: int, flip: bool) -> Triplets:
    """The global batch of a step. Each sample is a random clip, three different random frames of it, and mirrored or not."""
    rng = np.random.default_rng([seed, step])
    which = rng.integers(len(clips), size=batch)
    rows = np.stack([rng.choice(clips[c], size=3, replace=False) for c in which])
    mirrored = rng.random(batch) < 0.5 if flip else np.zeros(batch, bool)
    return Triplets(rows[:, 0], rows[:, 1], rows[:, 2], mirrored)


def batches(data: FaceData, config: Config, first_step: int, rank: int, world: int, pin: bool) -> Generator[Batch, None, None]:
    """The batches of a rank from a step on, endless, decoded ahead in threads; in pinned memory if `pin` is True."""
    clips = training_clips(data, config)
    # If this machine does not hold the whole data set, clips are fetched this many batches before they are decoded.
    ahead_of_use = -(-data.frames.ahead * world // config.optim.batch)

    def triplets(step: int) -> Triplets:
        return sample(clips, config.seed, step, config.optim.batch, config.data.flip).part(rank, world)

    def expect(step: int) -> None:
        chosen = triplets(step)
        data.frames.expect(np.concatenate([chosen.source, chosen.target, chosen.third]))

    def load(step: int) -> Batch:
        if ahead_of_use:
            expect(step + ahead_of_use)
        batch = data.batch(triplets(step))
        return Batch(*(getattr(batch, n).pin_memory() for n in Batch.__slots__)) if pin else batch

    for step in range(first_step, first_step + ahead_of_use):
        expect(step)
    # One thread per batch ahead: a single one decodes fewer images per second than a large GPU trains on.
    with ThreadPoolExecutor(PREFETCH, "input") as pool:
        ahead = [pool.submit(load, first_step + i) for i in range(PREFETCH)]
        step = first_step + PREFETCH
        while True:
            ahead.append(pool.submit(load, step))
            step += 1
            yield ahead.pop(0).result()
