"""A trial in a plain folder: what it branches from, and which generator it shows and scores."""

import time
from pathlib import Path
from typing import Any

import pytest
import torch

from facegan import trial
from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.inference import image_generator
from facegan.training import checkpoint
from facegan.training.state import new_state
from facegan.training.train import train
from facegan.trial import TrialRun, run_trial
from facegan.trial_storage import LocalStorage

CPU = torch.device("cpu")


def report_to_nobody(metrics: dict[str, float]) -> None:
    """A trial that no scheduler watches."""


def test_samples_and_validation_are_of_the_average(
    data: FaceData, tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[torch.Tensor] = []

    def recorded(generator: torch.nn.Module, *rest: Any) -> Any:
        shown.append(next(generator.parameters()).detach().clone())
        return image_generator(generator, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(trial, "image_generator", recorded)
    config = tiny.override({"optim.average": 0.9})
    storage = LocalStorage(tmp_path, "trial")
    run_trial(TrialRun(config, storage, score=False), data, CPU, report_to_nobody)
    state = checkpoint.load(storage.folder.checkpoint, config, CPU)
    assert state is not None and state.average is not None
    assert torch.equal(shown[-1], next(state.average.parameters()))
    assert not torch.equal(shown[-1], next(state.generator.parameters()))


@pytest.mark.slow
def test_a_trial_begins_with_the_weights_of_its_warm_up(data: FaceData, tiny: Config, tmp_path: Path) -> None:
    config = tiny.override({"warm_up": 16})
    warm = new_state(config.of_warm_up(), CPU)
    list(train(warm, data))
    checkpoint.save(warm, tmp_path / "trials" / "warm" / "checkpoint")
    frozen = config.override({"optim.generator_lr": 0.0, "optim.discriminator_lr": 0.0})
    storage = LocalStorage(tmp_path, "trial")
    run_trial(TrialRun(frozen, storage, "warm", score=False), data, CPU, report_to_nobody)
    state = checkpoint.load(storage.folder.checkpoint, frozen, CPU)
    assert state is not None
    for name in ("generator", "discriminator"):
        ours, theirs = (getattr(s, name).state_dict() for s in (state, warm))
        assert all(torch.equal(ours[k], theirs[k]) for k in theirs)
    assert storage.folder.scores() is None and storage.folder.state().state == "COMPLETED"


def test_a_jump_of_the_clock_does_not_show_in_the_rows(
    data: FaceData, tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, jumps, began = LocalStorage(tmp_path, "trial"), iter(range(10**6)), time.monotonic()
    monkeypatch.setattr(time, "time", lambda: 1e9 + (-1) ** next(jumps) * 3600)
    config = tiny.override({"report_every": 8})
    run_trial(TrialRun(config, storage, score=False), data, CPU, report_to_nobody)
    times = [row.time for row in storage.folder.rows()]
    assert len(times) == config.images / 8 and times == sorted(times)
    assert times[-1] - times[0] <= time.monotonic() - began
