"""Which frames a step sees: a pure function of (seed, step)."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from facegan.config import Config
from facegan.data.batch import Batch, Triplets
from facegan.data.face_data import FaceData
from facegan.errors import UserError

PREFETCH = 3


def training_clips(data: FaceData, config: Config) -> list[NDArray[np.int64]]:
    """Rows of each clip to train on: those with at least three frames."""
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
    """The global batch of a step: a clip uniformly, three different frames of it uniformly, mirrored or not."""
    rng = np.random.default_rng([seed, step])
    which = rng.integers(len(clips), size=batch)
    rows = np.stack([rng.choice(clips[c], size=3, replace=False) for c in which])
    mirrored = rng.random(batch) < 0.5 if flip else np.zeros(batch, bool)
    return Triplets(rows[:, 0], rows[:, 1], rows[:, 2], mirrored)


def batches(data: FaceData, config: Config, first_step: int, rank: int, world: int, pin: bool) -> Generator[Batch, None, None]:
    """A rank's batches from a step on, without end, decoded ahead in threads and in pinned memory where asked."""
    clips = training_clips(data, config)

    def load(step: int) -> Batch:
        triplets = sample(clips, config.seed, step, config.optim.batch, config.data.flip).part(rank, world)
        batch = data.batch(triplets)
        return Batch(*(getattr(batch, n).pin_memory() for n in Batch.__slots__)) if pin else batch

    # A thread a batch ahead: one alone decodes fewer images a second than a large GPU trains on.
    with ThreadPoolExecutor(PREFETCH, "input") as pool:
        ahead = [pool.submit(load, first_step + i) for i in range(PREFETCH)]
        step = first_step + PREFETCH
        while True:
            ahead.append(pool.submit(load, step))
            step += 1
            yield ahead.pop(0).result()
