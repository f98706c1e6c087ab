"""The training loop: a generator of Progress that knows nothing of who reads it.

Read it with `for progress in train(state, data)`: save, report or stop between two items. Losses are summed on the device and
read once a report, so a step never waits for its own numbers.
"""

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from facegan.data.batch import Batch
from facegan.data.face_data import FaceData
from facegan.data.resident import resident_batches
from facegan.data.sampling import batches
from facegan.errors import UserError
from facegan.parallel import mean_over_ranks, rank_and_world
from facegan.step import TrainState, step


@dataclass(frozen=True, slots=True)
class Progress:
    """A row of metrics: means since the last one; `images` and `seconds` of training count the whole run."""

    images: int
    seconds: float
    metrics: dict[str, float]
    at_checkpoint: bool


class Diverged(RuntimeError):
    """A term of the loss is not finite; the message names it. The run is over and is kept as DIVERGED."""


def train(state: TrainState, data: FaceData) -> Iterator[Progress]:
    """Train from the state's images to the configuration's, reporting as it says; raises Diverged."""
    config = state.config
    rank, world = rank_and_world()
    if config.optim.batch % world:
        raise UserError(f"optim.batch is {config.optim.batch}: a multiple of the {world} workers")
    first_step = state.images // config.optim.batch
    feed = _feed(state, data, first_step, rank, world)
    sums, gradient_sums = _Sums(), _Sums()
    reported_images, resumed_at = state.images, time.perf_counter()
    while state.images < config.images:
        with_anatomy = bool(config.gradient_diagnostics_every) and state.images % config.gradient_diagnostics_every == 0
        values = step(state, next(feed), gradient_diagnostics=with_anatomy)
        gradient_diagnostics = {name: values.pop(name) for name in list(values) if name.startswith("gradient_")}
        sums.add(values)
        if gradient_diagnostics:
            gradient_sums.add(gradient_diagnostics)
        state.images += config.optim.batch
        at_checkpoint = state.images % config.checkpoint_every == 0 or state.images == config.images
        if not (at_checkpoint or state.images % config.report_every == 0):
            continue
        metrics = sums.read() | gradient_sums.read()
        seconds = time.perf_counter() - resumed_at
        state.seconds += seconds
        metrics["images_per_second"] = (state.images - reported_images) / seconds
        metrics |= _learning_rates(state)
        _check_finite(metrics, state.images)
        yield Progress(state.images, state.seconds, metrics, at_checkpoint)
        # What the reader did with it (checkpoints, scores) is not training time.
        reported_images, resumed_at = state.images, time.perf_counter()
    feed.close()


def _feed(state: TrainState, data: FaceData, first_step: int, rank: int, world: int) -> Generator[Batch, None, None]:
    if state.config.data.resident:
        return resident_batches(data, state.config, first_step, rank, world, state.device)
    return batches(data, state.config, first_step, rank, world, pin=state.device.type == "cuda")


def _learning_rates(state: TrainState) -> dict[str, float]:
    optimizers = {"generator": state.generator_optimizer, "discriminator": state.discriminator_optimizer}
    return {f"learning_rate/{name}": float(opt.param_groups[0]["lr"]) for name, opt in optimizers.items()}


class _Sums:
    """Running sums of a step's named scalars, kept on the device."""

    def __init__(self) -> None:
        self.total: Tensor | None = None
        self.steps = 0
        self.names: list[str] = []

    def add(self, values: dict[str, Tensor]) -> None:
        row = torch.stack([v for v in values.values()])
        self.total = row if self.total is None else self.total + row
        self.names, self.steps = list(values), self.steps + 1

    def read(self) -> dict[str, float]:
        """The means over steps and ranks since the last reading, if there was one; this waits for the device."""
        if self.total is None:
            return {}
        means = mean_over_ranks(self.total / self.steps).tolist()
        self.total, self.steps = None, 0
        return dict(zip(self.names, means, strict=True))


def _check_finite(metrics: dict[str, float], images: int) -> None:
    # A sum with one bad step in it is not finite, so no step escapes and none waits.
    bad = [name for name, value in metrics.items() if not math.isfinite(value)]
    if bad:
        raise Diverged(f"{', '.join(bad)} not finite within {images} images")
