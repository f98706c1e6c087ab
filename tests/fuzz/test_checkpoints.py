"""Checkpoints: whatever state.json says, the run is resumed and takes a step, or it is refused in one line."""

import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.data.reading.sampling import sample, training_clips
from facegan.training import checkpoint
from facegan.training.state import new_state
from facegan.training.step import steps
from facegan.training.train import train
from tests.fuzz.inputs import damaged, inputs, value_or_one_line

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
Saved = tuple[Path, Config, bytes]


@pytest.fixture(scope="module", params=[0.0, 0.9], ids=["", "average"])
def saved(data: FaceData, tiny: Config, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Saved:
    """A checkpoint after some steps, its configuration, and its state.json."""
    folder = tmp_path_factory.mktemp("saved") / "checkpoint"
    config = tiny.override({"optim.average": request.param, "images": 8, "checkpoint_every": 8, "report_every": 8})
    state = new_state(config, CPU)
    list(train(state, data))
    checkpoint.save(state, folder)
    return folder, config, (folder / "state.json").read_bytes()


def resume(folder: Path, config: Config, data: FaceData) -> None:
    """Take one step of a run from its checkpoint, save it, and look at what a report and an export would say."""
    checkpoint.load_generator(folder)
    state = checkpoint.load(folder, config, CPU)
    assert state is not None
    batch = data.batch(sample(training_clips(data, config), config.seed, 0, config.optim.batch, config.data.flip))
    values = steps([state], batch, [False])
    assert all(math.isfinite(value) for of_run in values for value in of_run.values())
    for optimizer in (state.generator_optimizer, state.discriminator_optimizer):
        assert math.isfinite(optimizer.param_groups[0]["lr"])
    for network in (state.generator, state.discriminator, state.result):
        assert all(parameter.isfinite().all() for parameter in network.parameters())
    assert 0 <= state.images <= config.images and math.isfinite(state.seconds) and state.seconds >= 0
    assert set(state.passes) == {"generator", "discriminator", "vgg"}
    checkpoint.save(state, folder.parent / "next")


@inputs(2.5, 20)
@given(drawn=st.data())
def test_any_state_is_resumed_or_refused_in_one_line(saved: Saved, data: FaceData, drawn: st.DataObject) -> None:
    folder, config, original = saved
    content = drawn.draw(damaged(original).map(lambda values: json.dumps(values).encode()) | st.binary(max_size=40))
    (folder / "state.json").write_bytes(content)
    try:
        value_or_one_line("checkpoint", lambda: resume(folder, config, data))
    finally:
        (folder / "state.json").write_bytes(original)


def test_the_state_that_was_saved_is_resumed(saved: Saved, data: FaceData) -> None:
    resume(saved[0], saved[1], data)
