"""TrainState <-> a folder: tensors as safetensors, the rest as JSON, replaced as a whole. No pickle."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_bytes
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from facegan.config import Config, from_dict
from facegan.errors import UserError
from facegan.nets.generator import Generator, build_generator
from facegan.step import TrainState, new_state

_STATE = "state.json"
_GENERATOR = "generator.safetensors"
DRAWING_FILES = (_STATE, _GENERATOR)
"""The part of a checkpoint that `load_generator` reads."""


def save(state: TrainState, folder: Path) -> None:
    """Write the folder beside its final name and move it there, so that a reader never sees half a checkpoint."""
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save_file(_tensors(state.generator), partial / _GENERATOR)
    save_file(_tensors(state.discriminator), partial / "discriminator.safetensors")
    save_file(_adam_tensors(state), partial / "generator_adam.safetensors")
    progress = {"images": state.images, "seconds": state.seconds, "passes": state.passes}
    (partial / _STATE).write_text(json.dumps({**progress, "config": state.config.to_dict()}, indent=1))
    _swap(partial, folder)


def _swap(partial: Path, folder: Path) -> None:
    previous = folder.with_name(f"{folder.name}.previous")
    shutil.rmtree(previous, ignore_errors=True)
    if folder.exists():
        os.rename(folder, previous)
    os.rename(partial, folder)
    shutil.rmtree(previous, ignore_errors=True)


def load(folder: Path, config: Config, device: torch.device) -> TrainState | None:
    """The state of a checkpoint, or None where there is none; it goes on exactly as if never interrupted."""
    # A kill between the two renames of `_swap` leaves the last good checkpoint under its second name.
    if not folder.exists():
        folder = folder.with_name(f"{folder.name}.previous")
    if not folder.exists():
        return None
    saved = _read_state(folder)
    if from_dict(saved["config"]) != config:
        raise UserError(f"{folder} is a checkpoint of another configuration; start in another folder")
    state = new_state(config, device)
    state.generator.load_state_dict(_read_tensors(folder / _GENERATOR))
    state.discriminator.load_state_dict(_read_tensors(folder / "discriminator.safetensors"))
    if saved["images"]:
        _restore_adam(state, _read_tensors(folder / "generator_adam.safetensors"))
    state.images, state.seconds, state.passes = saved["images"], saved["seconds"], saved["passes"]
    return state


def load_generator(folder: Path) -> tuple[Generator, Config]:
    """The generator of a checkpoint for drawing and judging, on the CPU, with its configuration."""
    config, _ = read_config(folder)
    return generator_of(config, generator_bytes(folder)), config


def read_config(folder: Path) -> tuple[Config, int]:
    """The configuration of a checkpoint, and the images that it has seen."""
    saved = _read_state(folder)
    return from_dict(saved["config"]), int(saved["images"])


def generator_bytes(folder: Path) -> bytes:
    """The generator's weights as they lie there, which can travel."""
    path = folder / _GENERATOR
    try:
        return path.read_bytes()
    except OSError:
        raise UserError(f"{path} is missing or damaged; remove its checkpoint folder") from None


def generator_of(config: Config, weights: bytes) -> Generator:
    """The generator of a configuration with the weights of `generator_bytes`, frozen, on the CPU."""
    generator = build_generator(config.model)
    try:
        generator.load_state_dict(load_bytes(weights))
    except (SafetensorError, RuntimeError):
        raise UserError(
            f"{_GENERATOR} of a checkpoint is damaged or of another network; remove its checkpoint folder"
        ) from None
    return generator.requires_grad_(False).eval()


def _read_state(folder: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads((folder / _STATE).read_text())
        return state
    except (OSError, ValueError):
        raise UserError(f"{folder} is no checkpoint: {_STATE} is missing or damaged; remove the folder") from None


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError):
        raise UserError(f"{path} is missing or damaged; remove its checkpoint folder") from None


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.contiguous() for name, tensor in module.state_dict().items()}


def _adam_tensors(state: TrainState) -> dict[str, Tensor]:
    moments = state.generator_optimizer.state
    return {
        f"{key}/{name}": moments[parameter][key].contiguous()
        for name, parameter in state.generator.named_parameters()
        for key in moments.get(parameter, {})
    }


def _restore_adam(state: TrainState, tensors: dict[str, Tensor]) -> None:
    for name, parameter in state.generator.named_parameters():
        for key in ("step", "exp_avg", "exp_avg_sq"):
            value = tensors[f"{key}/{name}"].to(parameter.device)
            # Moments in another memory layout than the weights' are summed in another order.
            moment = torch.empty_like(parameter).copy_(value) if value.dim() else value
            state.generator_optimizer.state[parameter][key] = moment.detach()
