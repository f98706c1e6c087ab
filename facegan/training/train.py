"""The training loop: an iterator over reports that knows nothing of who reads it.

Read it with `for progress in train(state, data)`: save, report or stop between two items. Losses are summed on the device and
read once per report, so a step never waits for its own numbers. All clocks count images.

`Together` trains several runs on the same batches. Each has the numbers that it would have alone. What they share is made once:
batches, landmark maps, and VGG-19's activations of the target.
"""

import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from facegan.config import Config
from facegan.data.reading.batch import Batch
from facegan.data.reading.face_data import FaceData
from facegan.data.reading.resident import resident_batches
from facegan.data.reading.sampling import batches
from facegan.errors import UserError
from facegan.metric_names import GRADIENT_DIAGNOSTICS
from facegan.training.cuda_graph import GraphedSteps
from facegan.training.parallel import mean_over_ranks, rank_and_world
from facegan.training.state import TrainState
from facegan.training.step import Values, steps


@dataclass(frozen=True, slots=True)
class Progress:
    """One report."""

    images: int
    """Images seen by the whole run."""
    seconds: float
    """Training time of the whole run, without what the reader does between two reports. Of the time in which several runs train
    together, each has an equal share."""
    metrics: dict[str, float]
    """Means since the last report."""
    at_checkpoint: bool


class Diverged(RuntimeError):
    """A term of the loss is not finite; the message names it. The run is over and is kept as DIVERGED."""


def train(state: TrainState, data: FaceData) -> Iterator[Progress]:
    """Train from the state's images to the configuration's and yield a report as often as it says.

    Raises Diverged if a loss is not finite, and UserError if the workers cannot share a batch evenly.
    """
    for _, report in Together([state], data):
        if isinstance(report, Diverged):
            raise report
        yield report


def same_batches(config: Config) -> tuple[Any, ...]:
    """A key that is equal for configurations whose runs can train together: they see the same batches in the same form."""
    model = config.model
    form = (model.maps, model.map_sigma, model.first_layer, config.optim.precision, config.optim.tf32, config.optim.cuda_graph)
    return (config.seed, config.data, config.optim.batch, config.vgg, *form)


class Together:
    """Runs that train on the same batches. An iterator over their reports, each with the run's position in `states`.

    A run that diverges reports why, and is over. So is one for which `leave` is called. The others go on as if it had never
    been there. A run that begins later, because it was interrupted, waits until the others have come to its step.
    """

    def __init__(self, states: Sequence[TrainState], data: FaceData) -> None:
        self._data, self._config, self._device = data, states[0].config, states[0].device
        if any(same_batches(state.config) != same_batches(self._config) for state in states):
            raise ValueError("these runs see different batches")
        world = rank_and_world()[1]
        if self._config.optim.batch % world:
            raise UserError(f"optim.batch is {self._config.optim.batch}: a multiple of the {world} workers")
        unfinished = {place: state for place, state in enumerate(states) if state.images < state.config.images}
        self._runs = {place: _Run(state) for place, state in unfinished.items()}

    def leave(self, place: int) -> None:
        """End the run at this position."""
        self._runs.pop(place, None)

    def __iter__(self) -> Iterator[tuple[int, Progress | Diverged]]:
        graphed = self._config.optim.cuda_graph and self._device.type == "cuda"
        take = GraphedSteps(self._device) if graphed else steps
        while self._runs:
            number = min(run.next_step for run in self._runs.values())
            with closing(self._batches(number)) as feed:
                yield from self._train_from(number, feed, take)

    def _train_from(self, number: int, feed: Iterator[Batch], take: "Steps") -> Iterator[tuple[int, Progress | Diverged]]:
        """Train from a step on, until no run takes the step that comes next."""
        while due := {place: run for place, run in self._runs.items() if run.next_step == number}:
            began = time.perf_counter()
            values = take([run.state for run in due.values()], next(feed), [run.wants_diagnostics() for run in due.values()])
            for run, of_run in zip(due.values(), values, strict=True):
                run.add(of_run)
            # Reading the means waits for the device.
            means = {place: run.means() for place, run in due.items() if run.reports()}
            share = (time.perf_counter() - began) / len(due)
            for run in due.values():
                run.state.seconds += share

            # Checkpoints and scores, which the reader makes meanwhile, are not training time.
            for place, metrics in means.items():
                if place in self._runs:
                    report = due[place].report(metrics)
                    if isinstance(report, Diverged) or due[place].is_over():
                        self.leave(place)
                    yield place, report
            number += 1

    def _batches(self, first_step: int) -> Generator[Batch, None, None]:
        # Batches are a function of seed and step, so a resumed run asks for the step that comes next.
        config, (rank, world) = self._config, rank_and_world()
        if config.data.resident:
            return resident_batches(self._data, config, first_step, rank, world, self._device)
        return batches(self._data, config, first_step, rank, world, pin=self._device.type == "cuda")


Steps = Callable[[Sequence[TrainState], Batch, Sequence[bool]], list[Values]]
"""Takes one step of some runs on a batch, of some with gradient diagnostics."""


class _Run:
    """A run, and what it has measured since its last report."""

    def __init__(self, state: TrainState) -> None:
        self.state, config = state, state.config
        # A run that branches from a warm-up goes on with the batches after those of the warm-up.
        self.next_step = (config.warm_up + state.images) // config.optim.batch
        self._losses, self._diagnostics = _RunningMeans(), _RunningMeans()
        self._reported = (state.images, state.seconds)

    def wants_diagnostics(self) -> bool:
        every = self.state.config.gradient_diagnostics_every
        return every > 0 and self.state.images % every == 0

    def add(self, values: Values) -> None:
        """Count a step."""
        self._diagnostics.add({name: value for name, value in values.items() if name.startswith(GRADIENT_DIAGNOSTICS)})
        self._losses.add({name: value for name, value in values.items() if not name.startswith(GRADIENT_DIAGNOSTICS)})
        self.state.images += self.state.config.optim.batch
        self.next_step += 1

    def is_over(self) -> bool:
        return self.state.images >= self.state.config.images

    def _at_checkpoint(self) -> bool:
        config, images = self.state.config, self.state.images
        return images % config.checkpoint_every == 0 or images in config.checkpoint_at or self.is_over()

    def reports(self) -> bool:
        return self._at_checkpoint() or self.state.images % self.state.config.report_every == 0

    def means(self) -> dict[str, float]:
        return self._losses.read() | self._diagnostics.read()

    def report(self, metrics: dict[str, float]) -> Progress | Diverged:
        """The report of these means; they are finite, or the run is over."""
        state, (images, seconds) = self.state, self._reported
        metrics["images_per_second"] = (state.images - images) / (state.seconds - seconds)
        metrics["learning_rate/generator"] = float(state.generator_optimizer.param_groups[0]["lr"])
        metrics["learning_rate/discriminator"] = float(state.discriminator_optimizer.param_groups[0]["lr"])
        self._reported = (state.images, state.seconds)
        # A mean with one bad step in it is not finite, so every step is checked although none is waited for.
        bad = [name for name, value in metrics.items() if not math.isfinite(value)]
        if bad:
            verb = "are" if len(bad) > 1 else "is"
            return Diverged(f"{', '.join(bad)} {verb} not finite within the first {state.images} images")
        return Progress(state.images, state.seconds, metrics, self._at_checkpoint())


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
