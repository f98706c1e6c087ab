"""How many trials should share one device: measured by running 1, 2, 4, ... of them at the same time.

A small model leaves a large GPU idle between its kernels, and several processes fill the gaps. Each process trains the
configuration on one fixed batch, so reading input is not part of the measurement.
"""

import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier

import torch
from torch import multiprocessing

from facegan.config import Config
from facegan.data.reading.batch import Batch
from facegan.errors import UserError
from facegan.training.state import new_state
from facegan.training.step import step

_WARM_STEPS = 3
_STEPS_AHEAD = 20
"""Steps that are sent to a GPU before it is waited for."""


@dataclass(frozen=True, slots=True)
class Packing:
    """A number of trials on one device, and their images/s together; `error` says why it could not be run."""

    trials: int
    images_per_second: float
    error: str = ""

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise UserError(f"trials is {self.trials}: at least 1")
        if self.images_per_second < 0:
            raise UserError(f"images_per_second is {self.images_per_second}: at least 0")


def measure_packing(config: Config, device: str, counts: tuple[int, ...], seconds: float) -> list[Packing]:
    """The total rate of each number of trials on one device, up to the first that fails, for example for lack of memory."""
    measured: list[Packing] = []
    for trials in counts:
        measured.append(_together(config, device, trials, seconds))
        if measured[-1].error:
            break
    return measured


def best_packing(measured: list[Packing]) -> Packing:
    """The smallest number of trials within 2 % of the highest rate: with fewer at a time, each ends sooner."""
    highest = max(p.images_per_second for p in measured)
    return next(p for p in measured if p.images_per_second >= 0.98 * highest)


def random_batch(config: Config) -> Batch:
    """A batch of noise and random landmarks, the same each time. The speed of a step does not depend on its content."""
    seeded = torch.Generator().manual_seed(0)
    count, size = config.optim.batch, config.data.size
    images = torch.randint(0, 256, (2, count, 3, size, size), dtype=torch.uint8, generator=seeded)
    points = (torch.rand(3, count, 68, 2, generator=seeded) * 0.6 + 0.2) * size
    return Batch(images[0], images[1], points[0], points[1], points[2])


def _together(config: Config, device: str, trials: int, seconds: float) -> Packing:
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(trials)
    pipes: list[Connection] = []
    for _ in range(trials):
        mine, theirs = context.Pipe(duplex=False)
        context.Process(target=_run, args=(config, device, seconds, start, theirs), daemon=True).start()
        # Only the child holds its end now, so a child that is killed closes the pipe.
        theirs.close()
        pipes.append(mine)
    found: list[float | str] = []
    for pipe in pipes:
        try:
            found.append(pipe.recv())
        except EOFError:
            found.append("a process was killed")
    errors = [answer for answer in found if isinstance(answer, str)]
    if errors:
        return Packing(trials, 0.0, errors[0])
    return Packing(trials, sum(rate for rate in found if isinstance(rate, float)))


def _run(config: Config, device: str, seconds: float, start: Barrier, answer: Connection) -> None:
    torch.set_num_threads(1)
    try:
        answer.send(_rate(config, torch.device(device), seconds, start))
    except Exception as error:
        start.abort()  # the others wait for this one
        answer.send(f"{type(error).__name__}: {error}"[:200])


def _rate(config: Config, device: torch.device, seconds: float, start: Barrier) -> float:
    state, batch = new_state(config, device), random_batch(config).to(device)
    for _ in range(_WARM_STEPS):
        step(state, batch)
    _wait_for(device)
    start.wait(timeout=120)
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        step(state, batch)
        steps += 1
        # Training waits for nothing between two reports. Here the clock would fall behind a queue that is never waited for.
        if steps % _STEPS_AHEAD == 0:
            _wait_for(device)
    _wait_for(device)
    return steps * config.optim.batch / (time.perf_counter() - began)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
