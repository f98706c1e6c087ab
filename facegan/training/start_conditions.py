"""Hashes of what a run starts from, which prove that the arms of a study started alike."""

import hashlib
from typing import Any

import torch

from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.data.reading.sampling import sample, training_clips
from facegan.training.state import TrainState

_BATCHES = 100


def start_conditions(state: TrainState, data: FaceData) -> dict[str, Any]:
    """Hashes of both networks' weights and of the first 100 batches, and the device's name; before the first step only."""
    assert not state.images, "the trial has begun"
    name = torch.cuda.get_device_name(state.device) if state.device.type == "cuda" else "cpu"
    return {"start_weights": _weights_hash(state), "first_batches": batches_hash(data, state.config), "device": name}


def _weights_hash(state: TrainState) -> str:
    digest = hashlib.sha256()
    for network in (state.generator, state.discriminator):
        for name, tensor in sorted(network.state_dict().items()):
            digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]


def batches_hash(data: FaceData, config: Config) -> str:
    """A hash of the rows and flips of the first 100 global batches."""
    clips, digest = training_clips(data, config), hashlib.sha256()
    first = config.warm_up // config.optim.batch
    for number in range(first, first + _BATCHES):
        batch = sample(clips, config.seed, number, config.optim.batch, config.data.flip)
        for part in (batch.source, batch.target, batch.third, batch.mirrored):
            digest.update(part.tobytes())
    return digest.hexdigest()[:12]
