"""The probe takes the steps of a training run, with gradient diagnostics as often as a run makes them."""

import pytest
import torch

from facegan.config import Config
from facegan.study.cost import probe
from facegan.study.cost.probe import measure_rate
from facegan.training.step import steps

CPU = torch.device("cpu")


class Clock:
    """A clock that the steps move: a second for one, four for one with diagnostics."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.mark.parametrize(("every", "seconds_of_step"), [(0, 1.0), (4, 4.0), (8, 2.5), (16, 1.75)])
def test_diagnostics_slow_a_run_down_by_their_share(
    tiny: Config, monkeypatch: pytest.MonkeyPatch, every: int, seconds_of_step: float
) -> None:
    clock = Clock()

    def timed(states: object, batch: object, diagnostics: list[bool]) -> object:
        clock.now += 4.0 if diagnostics[0] else 1.0
        return steps(states, batch, diagnostics)  # type: ignore[arg-type]

    monkeypatch.setattr(probe, "steps", timed)
    monkeypatch.setattr(probe, "time", clock)
    config = tiny.override({"gradient_diagnostics_every": every, "vgg.weights": "random"})
    assert measure_rate(config, CPU, 20.0) == pytest.approx(tiny.optim.batch / seconds_of_step)
