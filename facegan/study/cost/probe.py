"""Measure the images/s of a configuration on this device.

The steps are those of a training run, on one batch of noise. Reading input is left out: batches are made by other threads and
were waited for less than 0.5 ms a step (jobs/bench). The gradient diagnostics are counted as often as a run makes them.
"""

import time

import torch

from facegan.config import Config
from facegan.training.cuda_graph import GraphedSteps
from facegan.training.packing import random_batch
from facegan.training.state import new_state
from facegan.training.step import steps

_WARM_STEPS = 3
_LEAST_STEPS = 3
_SHARE_OF_DIAGNOSTICS = 0.2
"""Of the seconds."""


def measure_rate(config: Config, device: torch.device, seconds: float) -> float:
    """Images/s of a training run, measured for so many seconds after some steps that are not counted."""
    config = config.override({"vgg.weights": "random", "start": "random"})  # weights are no matter of speed
    state, batch = new_state(config, device), random_batch(config).to(device)
    take = GraphedSteps(device) if config.optim.cuda_graph and device.type == "cuda" else steps

    def seconds_of_step(diagnostics: bool, at_most: float) -> float:
        for _ in range(_WARM_STEPS):
            take([state], batch, [diagnostics])
        _wait_for(device)
        began, made = time.perf_counter(), 0
        while made < _LEAST_STEPS or time.perf_counter() - began < at_most:
            take([state], batch, [diagnostics])
            made += 1
            if made % 10 == 0:
                _wait_for(device)
        _wait_for(device)
        return (time.perf_counter() - began) / made

    every, size = config.gradient_diagnostics_every, config.optim.batch
    if not every:
        return size / seconds_of_step(False, seconds)
    plain = seconds_of_step(False, seconds * (1 - _SHARE_OF_DIAGNOSTICS))
    with_diagnostics = seconds_of_step(True, seconds * _SHARE_OF_DIAGNOSTICS)
    share = size / every
    return size / (plain * (1 - share) + with_diagnostics * share)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
