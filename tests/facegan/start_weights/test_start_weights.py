"""The shipped start weights: all files are there, small, complete, and what a run of the preset demo starts from."""

from pathlib import Path

import pytest
import torch

from facegan import start_weights
from facegan.config import SHIPPED_SEEDS, Config
from facegan.errors import UserError
from facegan.presets import preset
from facegan.start_weights import FOLDER, shipped_file
from facegan.start_weights.weights import save_start_weights
from facegan.study.design.budget import Budget
from facegan.study.design.plan import trial_key
from facegan.training.state import new_state
from tests.planning import PLANNED_DATA

CPU = torch.device("cpu")


def demo(seed: int) -> Config:
    return preset("demo").override({"seed": seed})


def test_every_seed_has_a_file_and_all_together_are_below_15_megabytes() -> None:
    files = {shipped_file(seed) for seed in range(10)}
    assert files == set(FOLDER.glob("*.safetensors")) and len(files) == SHIPPED_SEEDS
    assert sum(file.stat().st_size for file in files) < 15e6


def test_runs_start_from_the_file_of_their_seed() -> None:
    first, second, fourth = (new_state(demo(seed), CPU).generator.state_dict() for seed in (0, 1, 3))
    random = new_state(demo(0).override({"start": "random"}), CPU).generator.state_dict()
    name = "last.weight"
    assert torch.equal(first[name], fourth[name])
    assert not torch.equal(first[name], second[name]) and not torch.equal(first[name], random[name])


def test_both_networks_come_back_in_half_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_weights, "FOLDER", tmp_path)
    monkeypatch.setattr(start_weights, "shipped_file", lambda seed: tmp_path / f"seed{seed}.safetensors")
    source = new_state(preset("hour").override({"seed": 5}), CPU)
    save_start_weights(tmp_path / "seed2.safetensors", source.generator, source.discriminator)
    started = new_state(demo(2), CPU)
    for network in ("generator", "discriminator"):
        ours, theirs = (getattr(state, network).state_dict() for state in (started, source))
        assert all(torch.equal(ours[k], theirs[k].half().float()) for k in theirs)


@pytest.mark.parametrize("content", [None, b"", b"no weights"])
def test_a_missing_or_damaged_file_is_refused(content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "seed0.safetensors"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setattr(start_weights, "shipped_file", lambda seed: file)
    with pytest.raises(UserError, match=r"seed0.safetensors is missing or damaged .*--start random"):
        new_state(demo(0), CPU)


@pytest.mark.parametrize("change", [{"data.size": 48}, {"model.generator_width": 8}, {"model.maps": "points"}])
def test_they_are_for_one_size_and_one_pair_of_networks(change: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"start is 'shipped': these weights are for data.size 64"):
        preset("demo").override(change)
    preset("demo").override({**change, "start": "random"})


def test_a_trial_is_named_by_the_weights_that_it_starts_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other weights under the same name are another trial, and seeds that share a file are still two."""

    def key(seed: int) -> str:
        return trial_key(demo(seed), "vgg", PLANNED_DATA, "code", Budget())

    before = key(0), key(3)
    assert len(set(before)) == 2 and key(0) == before[0]
    file = tmp_path / "seed0.safetensors"
    file.write_bytes(b"other weights")
    monkeypatch.setattr(start_weights, "shipped_file", lambda seed: file)
    assert key(0) not in before
    # The hash is kept, but not beyond a change of the file.
    other = key(0)
    file.write_bytes(b"weights of a third kind")
    assert key(0) != other
    file.unlink()
    with pytest.raises(UserError, match=r"seed0.safetensors is missing or damaged .*--start random"):
        key(0)
