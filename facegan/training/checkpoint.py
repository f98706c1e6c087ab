"""TrainState <-> a folder: tensors as safetensors, the rest as JSON, replaced as a whole. No pickle.

state.json
generator.safetensors  generator_optimizer.safetensors  average.safetensors (with optim.average)
discriminator.safetensors  discriminator_optimizer.safetensors

A run that is loaded goes on exactly as if it had never been interrupted. Whatever an optimizer keeps in its `state_dict` is
saved, so another optimizer needs no change here.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_bytes
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from facegan.config import Config
from facegan.errors import UserError
from facegan.files import replacing, write_json
from facegan.nets.generator import Generator, build_generator
from facegan.nets.vgg import Vgg19
from facegan.records import read_record
from facegan.training.state import NETWORKS, TrainState, new_state

_STATE = "state.json"
_GENERATOR, _DISCRIMINATOR, _AVERAGE = "generator.safetensors", "discriminator.safetensors", "average.safetensors"
_MOST_SECONDS = 1e10
"""Three centuries; later sums must not overflow."""
_CURE = "remove its checkpoint folder, and training starts over"


@dataclass(frozen=True, slots=True)
class _OptimizerRecord:
    """What of an optimizer's `state_dict` is not a tensor."""

    param_groups: list[dict[str, Any]]
    values: dict[str, Any] = field(default_factory=dict)
    """State values that are no tensors, by `<parameter>/<name>`."""


@dataclass(frozen=True, slots=True)
class _Record:
    """state.json. Raises UserError for progress that a run of its configuration cannot have."""

    images: int
    seconds: float
    passes: dict[str, int]
    optimizers: dict[str, _OptimizerRecord]
    config: Config

    def __post_init__(self) -> None:
        batch, images = self.config.optim.batch, self.config.images
        if not 0 <= self.images <= images or self.images % batch:
            raise UserError(f"images is {self.images}: a multiple of optim.batch ({batch}), from 0 to {images}")
        if not 0 <= self.seconds <= _MOST_SECONDS:
            raise UserError(f"seconds is {self.seconds}: from 0 to {_MOST_SECONDS:g}")
        for network, passes in self.passes.items():
            if network not in NETWORKS or not 0 <= passes < 2**63:
                raise UserError(f"passes has {passes} of {network!r}: a count of {', '.join(NETWORKS)}")
        if set(self.passes) != set(NETWORKS):
            raise UserError(f"passes has {', '.join(self.passes) or 'none'}: counts of {', '.join(NETWORKS)}")


def save(state: TrainState, folder: Path) -> None:
    """Write a checkpoint; a reader sees the previous one or the new one, never a part."""
    with replacing(folder) as partial:
        partial.mkdir()
        save_file(_tensors(state.generator), partial / _GENERATOR)
        save_file(_tensors(state.discriminator), partial / _DISCRIMINATOR)
        if state.average is not None:
            save_file(_tensors(state.average), partial / _AVERAGE)
        records = {}
        for name, optimizer in _optimizers(state).items():
            tensors, records[name] = _split(optimizer.state_dict())
            save_file(tensors, partial / f"{name}_optimizer.safetensors")
        record = _Record(state.images, state.seconds, state.passes, records, state.config)
        write_json(partial / _STATE, asdict(record))


def load(folder: Path, config: Config, device: torch.device, vgg: Vgg19 | None = None) -> TrainState | None:
    """The state of a checkpoint, or None where there is none; `vgg` is that of another run, to be shared.

    Raises UserError if the checkpoint is damaged or of another configuration.
    """
    # A kill between the two renames of `replacing` leaves the last good checkpoint under its second name.
    if not folder.exists():
        folder = folder.with_name(f"{folder.name}.previous")
    if not folder.exists():
        return None
    record = _read(folder)
    if record.config != config:
        raise UserError(f"{folder} is a checkpoint of another configuration; start in another folder")
    state = new_state(config, device, vgg)
    try:
        state.generator.load_state_dict(_read_tensors(folder / _GENERATOR))
        state.discriminator.load_state_dict(_read_tensors(folder / _DISCRIMINATOR))
        if state.average is not None:
            state.average.load_state_dict(_read_tensors(folder / _AVERAGE))
        for name, optimizer in _optimizers(state).items():
            tensors = _read_tensors(folder / f"{name}_optimizer.safetensors")
            _restore(optimizer, tensors, record.optimizers[name])
    except (RuntimeError, ValueError, KeyError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{folder} is damaged or of other networks; {_CURE}") from None
    state.images, state.seconds, state.passes = record.images, record.seconds, record.passes
    return state


def branch(folder: Path, config: Config, device: torch.device, vgg: Vgg19 | None = None) -> TrainState:
    """A state before its first step with the networks of another run's checkpoint, and with new optimizers.

    Raises UserError if the checkpoint is missing or damaged, or of other networks.
    """
    state = new_state(config, device, vgg)
    try:
        generator = load_bytes(generator_bytes(folder))
        for network in (state.generator, state.average):
            if network is not None:
                network.load_state_dict(generator)
        state.discriminator.load_state_dict(_read_tensors(folder / _DISCRIMINATOR))
    except (SafetensorError, RuntimeError):
        raise UserError(f"{folder} is damaged or of other networks; {_CURE}") from None
    return state


def load_generator(folder: Path) -> tuple[Generator, Config]:
    """The generator of a checkpoint, frozen, on the CPU, with its configuration."""
    config, _ = read_config(folder)
    return generator_of(config, generator_bytes(folder)), config


def inference_files(config: Config) -> tuple[str, str]:
    """The part of a checkpoint that `load_generator` reads, by file names."""
    return _STATE, _AVERAGE if config.optim.average else _GENERATOR


def read_config(folder: Path) -> tuple[Config, int]:
    """The configuration of a checkpoint, and the images that it has seen."""
    record = _read(folder)
    return record.config, record.images


def generator_bytes(folder: Path) -> bytes:
    """The generator's weights as a safetensors file, which can be sent to other processes; the average if there is one."""
    path = folder / inference_files(read_config(folder)[0])[1]
    try:
        return path.read_bytes()
    except OSError:
        raise UserError(f"{path} is missing or damaged; {_CURE}") from None


def generator_of(config: Config, weights: bytes) -> Generator:
    """The generator of a configuration with the weights of `generator_bytes`, frozen, on the CPU."""
    generator = build_generator(config.model)
    try:
        generator.load_state_dict(load_bytes(weights))
    except (SafetensorError, RuntimeError):
        raise UserError(f"{_GENERATOR} of a checkpoint is damaged or of another network; {_CURE}") from None
    return generator.requires_grad_(False).eval()


def _read(folder: Path) -> _Record:
    record = read_record(_Record, folder / _STATE, _CURE)
    if record is None:
        raise UserError(f"{folder} is no checkpoint: {_STATE} is missing; {_CURE}")
    return record


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError):
        raise UserError(f"{path} is missing or damaged; {_CURE}") from None


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.contiguous() for name, tensor in module.state_dict().items()}


def _optimizers(state: TrainState) -> dict[str, torch.optim.Optimizer]:
    return {"generator": state.generator_optimizer, "discriminator": state.discriminator_optimizer}


def _split(state_dict: dict[str, Any]) -> tuple[dict[str, Tensor], _OptimizerRecord]:
    """An optimizer's state as tensors by `<parameter>/<name>` and everything else."""
    flat = {f"{index}/{name}": value for index, entry in state_dict["state"].items() for name, value in entry.items()}
    tensors = {key: value.contiguous() for key, value in flat.items() if isinstance(value, Tensor)}
    return tensors, _OptimizerRecord(state_dict["param_groups"], {k: v for k, v in flat.items() if k not in tensors})


def _restore(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor], record: _OptimizerRecord) -> None:
    """Put a saved state into a new optimizer of the same kind and parameters."""
    entries: dict[int, dict[str, Any]] = {}
    for key, value in {**record.values, **tensors}.items():
        index, _, name = key.partition("/")
        entries.setdefault(int(index), {})[name] = value
    fresh = optimizer.state_dict()["param_groups"]
    for saved, new in zip(record.param_groups, fresh, strict=True):
        # JSON has no tuples, which hyperparameters such as Adam's betas are.
        other = [name for name, value in saved.items() if value != json.loads(json.dumps(new.get(name)))]
        if other:
            raise ValueError(f"hyperparameter {other[0]} is not what the configuration says")
    if not set(entries) <= {number for group in fresh for number in group["params"]}:
        raise ValueError("a state of no parameter")
    optimizer.load_state_dict({"state": entries, "param_groups": fresh})
    # Moments in another memory layout than their weights would be summed in another order.
    for parameter, entry in optimizer.state.items():
        for name, value in entry.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                entry[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value).detach()
