"""Checkpoints: any optimizer resumes exactly, and what is damaged is refused in one line."""

import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.errors import UserError
from facegan.training import checkpoint
from facegan.training.state import TrainState, new_state
from facegan.training.train import train

CPU = torch.device("cpu")


def weights(state: TrainState) -> list[torch.Tensor]:
    return [*state.generator.state_dict().values(), *state.discriminator.state_dict().values()]


@pytest.mark.parametrize(
    ("generator_optimizer", "discriminator_optimizer"),
    [
        (functools.partial(torch.optim.Adam, amsgrad=True), functools.partial(torch.optim.SGD, momentum=0.9)),
        (lambda parameters, lr, **_: torch.optim.NAdam(parameters, lr=lr), functools.partial(torch.optim.SGD, momentum=0.5)),
    ],
    ids=["amsgrad and momentum", "nadam and momentum"],
)
def test_any_optimizer_resumes_bit_for_bit(
    generator_optimizer: Any,
    discriminator_optimizer: Any,
    data: FaceData,
    tiny: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.optim, "Adam", generator_optimizer)
    monkeypatch.setattr(torch.optim, "SGD", discriminator_optimizer)
    config = tiny.override({"optim.discriminator_lr": 1e-2})
    whole, interrupted = new_state(config, CPU), new_state(config, CPU)
    list(train(whole, data))
    for progress in train(interrupted, data):
        if progress.at_checkpoint:
            checkpoint.save(interrupted, tmp_path / "checkpoint")
            break
    resumed = checkpoint.load(tmp_path / "checkpoint", config, CPU)
    assert resumed is not None
    list(train(resumed, data))
    assert all(torch.equal(a, b) for a, b in zip(weights(resumed), weights(whole), strict=True))


def test_a_checkpoint_before_the_first_step_can_be_loaded(tiny: Config, tmp_path: Path) -> None:
    checkpoint.save(new_state(tiny, CPU), tmp_path / "checkpoint")
    found = checkpoint.load(tmp_path / "checkpoint", tiny, CPU)
    assert found is not None and found.images == 0


def test_a_checkpoint_of_another_configuration_is_refused(tiny: Config, tmp_path: Path) -> None:
    checkpoint.save(new_state(tiny, CPU), tmp_path / "checkpoint")
    with pytest.raises(UserError, match="another configuration"):
        checkpoint.load(tmp_path / "checkpoint", tiny.override({"loss.pixel": 1.0}), CPU)


@pytest.mark.parametrize("name", ["generator", "discriminator", "generator_optimizer", "discriminator_optimizer"])
def test_a_damaged_file_is_named(name: str, tiny: Config, tmp_path: Path) -> None:
    checkpoint.save(new_state(tiny, CPU), tmp_path / "checkpoint")
    (tmp_path / "checkpoint" / f"{name}.safetensors").write_bytes(b"half a file")
    with pytest.raises(UserError, match=rf"{name}\.safetensors is missing or damaged"):
        checkpoint.load(tmp_path / "checkpoint", tiny, CPU)


def test_a_state_that_lacks_a_field_is_refused_in_one_line(tiny: Config, tmp_path: Path) -> None:
    checkpoint.save(new_state(tiny, CPU), tmp_path / "checkpoint")
    path = tmp_path / "checkpoint" / "state.json"
    saved = json.loads(path.read_text())
    del saved["config"]["optim"]["batch"]
    path.write_text(json.dumps(saved))
    with pytest.raises(UserError, match=r"state\.json is damaged .*config\.optim lacks the field 'batch'") as caught:
        checkpoint.load(tmp_path / "checkpoint", tiny, CPU)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda saved: saved.update(images=36), "images is 36: a multiple of optim.batch .4., from 0 to 32"),
        (lambda saved: saved.update(images=3), "images is 3"),
        (lambda saved: saved.update(seconds=-1.0), "seconds is -1.0"),
        (lambda saved: saved["passes"].pop("vgg"), "counts of generator, discriminator, vgg"),
        (lambda saved: saved["passes"].update(vgg=-1), "passes has -1 of 'vgg'"),
        (
            lambda saved: saved["optimizers"]["generator"]["param_groups"][0].update(betas=[5, 5]),
            "damaged or of other networks",
        ),
        (lambda saved: saved["optimizers"]["generator"]["param_groups"][0].update(lr=9.0), "damaged or of other networks"),
        (lambda saved: saved["optimizers"]["generator"]["values"].update({"99/step": 1}), "damaged or of other networks"),
    ],
)
def test_a_state_that_no_run_can_have_is_refused_in_one_line(
    change: Callable[[Any], Any], says: str, tiny: Config, tmp_path: Path
) -> None:
    checkpoint.save(new_state(tiny, CPU), tmp_path / "checkpoint")
    path = tmp_path / "checkpoint" / "state.json"
    saved = json.loads(path.read_text())
    change(saved)
    path.write_text(json.dumps(saved))
    with pytest.raises(UserError, match=says) as caught:
        checkpoint.load(tmp_path / "checkpoint", tiny, CPU)
    assert "\n" not in str(caught.value)


def test_weights_of_another_network_are_refused(tiny: Config, tmp_path: Path) -> None:
    checkpoint.save(new_state(tiny, CPU), tmp_path / "checkpoint")
    checkpoint.save(new_state(tiny.override({"model.generator_width": 8}), CPU), tmp_path / "other")
    os.replace(tmp_path / "other" / "generator.safetensors", tmp_path / "checkpoint" / "generator.safetensors")
    with pytest.raises(UserError, match="damaged or of other networks"):
        checkpoint.load(tmp_path / "checkpoint", tiny, CPU)


def test_a_kill_between_the_renames_loses_nothing(tiny: Config, tmp_path: Path) -> None:
    checkpoint.save(new_state(tiny, CPU), tmp_path / "checkpoint")
    os.rename(tmp_path / "checkpoint", tmp_path / "checkpoint.previous")
    assert checkpoint.load(tmp_path / "checkpoint", tiny, CPU) is not None


def test_the_average_is_saved_resumed_and_exported(data: FaceData, tiny: Config, tmp_path: Path) -> None:
    config = tiny.override({"optim.average": 0.9})
    whole, interrupted = new_state(config, CPU), new_state(config, CPU)
    list(train(whole, data))
    for progress in train(interrupted, data):
        if progress.at_checkpoint:
            checkpoint.save(interrupted, tmp_path / "checkpoint")
            break
    resumed = checkpoint.load(tmp_path / "checkpoint", config, CPU)
    assert resumed is not None
    list(train(resumed, data))
    ours, theirs = (list(state.result.parameters()) for state in (resumed, whole))
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    checkpoint.save(resumed, tmp_path / "checkpoint")
    exported = list(checkpoint.load_generator(tmp_path / "checkpoint")[0].parameters())
    assert all(torch.equal(a, b) for a, b in zip(exported, theirs, strict=True))
    assert not torch.equal(exported[0], next(whole.generator.parameters()))


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_a_branch_has_the_networks_of_a_run_and_new_optimizers(
    average: float, data: FaceData, tiny: Config, tmp_path: Path
) -> None:
    config = tiny.override({"optim.average": average})
    trained = new_state(config, CPU)
    list(train(trained, data))
    checkpoint.save(trained, tmp_path / "checkpoint")
    state = checkpoint.branch(tmp_path / "checkpoint", config.override({"loss.pixel": 1.0}), CPU)
    assert state.images == 0 and not state.generator_optimizer.state and state.config.loss.pixel == 1.0
    for network in (state.generator, state.result):
        pairs = zip(network.parameters(), trained.result.parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
    pairs = zip(state.discriminator.parameters(), trained.discriminator.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_branch_from_nothing_is_refused(tiny: Config, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no checkpoint"):
        checkpoint.branch(tmp_path / "checkpoint", tiny, CPU)
