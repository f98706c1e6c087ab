"""The training loop: a generator of Progress that knows nothing of who reads it.

Read it with `for progress in train(state, data)`: save, report or stop between two items. Losses are summed on the device and
read once per report, so a step never waits for its own numbers. All clocks count images.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from facegan.data.face_data import FaceData
from facegan.data.resident import resident_batches
from facegan.data.sampling import batches
from facegan.errors import UserError
from facegan.metric_names import GRADIENT_DIAGNOSTICS
from facegan.parallel import mean_over_ranks, rank_and_world
from facegan.step import TrainState, step


@dataclass(frozen=True, slots=True)
class Progress:
    """One report."""

    images: int
    """Images seen by the whole run."""
    seconds: float
    """Training time of the whole run, without what the reader does between two reports."""
    metrics: dict[str, float]
    """Means since the last report."""
    at_checkpoint: bool


class Diverged(RuntimeError):
    """A term of the loss is not finite; the message names it. The run is over and is kept as DIVERGED."""


def train(state: TrainState, data: FaceData) -> Iterator[Progress]:
    """Train from the state's images to the configuration's and yield a report as often as it says.

    Raises Diverged if a loss is not finite, and UserError if the workers cannot share a batch evenly.
    """
    config = state.config
    batch_size = config.optim.batch

    # Input. Batches are a function of seed and step, so a resumed run asks for the step that comes next, and
    # a run that branches from a warm-up for the step after those of the warm-up.
    rank, world = rank_and_world()
    if batch_size % world:
        raise UserError(f"optim.batch is {batch_size}: a multiple of the {world} workers")
    first_step = (config.warm_up + state.images) // batch_size
    if config.data.resident:
        feed = resident_batches(data, config, first_step, rank, world, state.device)
    else:
        feed = batches(data, config, first_step, rank, world, pin=state.device.type == "cuda")

    losses, diagnostics = _RunningMeans(), _RunningMeans()
    reported_images, started = state.images, time.perf_counter()
    while state.images < config.images:
        # One step.
        every = config.gradient_diagnostics_every
        values = step(state, next(feed), gradient_diagnostics=every > 0 and state.images % every == 0)
        diagnostics.add({name: values.pop(name) for name in list(values) if name.startswith(GRADIENT_DIAGNOSTICS)})
        losses.add(values)
        state.images += batch_size

        # A report now and then. Reading the means waits for the device.
        at_checkpoint = state.images % config.checkpoint_every == 0 or state.images == config.images
        if not (at_checkpoint or state.images % config.report_every == 0):
            continue
        metrics = losses.read() | diagnostics.read()
        seconds = time.perf_counter() - started
        state.seconds += seconds
        metrics["images_per_second"] = (state.images - reported_images) / seconds
        metrics["learning_rate/generator"] = float(state.generator_optimizer.param_groups[0]["lr"])
        metrics["learning_rate/discriminator"] = float(state.discriminator_optimizer.param_groups[0]["lr"])
        # A mean with one bad step in it is not finite, so every step is checked although none is waited for.
        bad = [name for name, value in metrics.items() if not math.isfinite(value)]
        if bad:
            verb = "are" if len(bad) > 1 else "is"
            raise Diverged(f"{', '.join(bad)} {verb} not finite within the first {state.images} images")
        yield Progress(state.images, state.seconds, metrics, at_checkpoint)
        # Checkpoints and scores, which the reader makes meanwhile, are not training time.
        reported_images, started = state.images, time.perf_counter()
    feed.close()


class _RunningMeans:
    """Sums of named scalars, kept on the device until they are read."""

    def __init__(self) -> None:
        self.total: Tensor | None = None
        self.steps = 0
        self.names: list[str] = []

    def add(self, values: dict[str, Tensor]) -> None:
        if values:
            row = torch.stack(list(values.values()))
            self.total = row if self.total is None else self.total + row
            self.names, self.steps = list(values), self.steps + 1

    def read(self) -> dict[str, float]:
        """The means over steps and ranks since the last reading; empty if nothing was added."""
        if self.total is None:
            return {}
        means = mean_over_ranks(self.total / self.steps).tolist()
        self.total, self.steps = None, 0
        return dict(zip(self.names, means, strict=True))
