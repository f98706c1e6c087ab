"""FLOPs of a training step."""

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from facegan.config import Config
from facegan.landmarks.maps import landmark_input
from facegan.packing import random_batch
from facegan.step import new_state, step


def _count_step(config: Config) -> tuple[float, dict[str, float]]:
    """GFLOP an image of a training step, and each network's forward passes an image."""
    plain = {"vgg.weights": "random", "model.first_layer": "dense", "optim.precision": "fp32", "optim.compile": False}
    config = config.override(plain)
    state, data = new_state(config, torch.device("cpu")), random_batch(config)
    # It keeps tensors for the rest of the process: made first, these have storage.
    landmark_input(data.target_points, config.data.size, config.model)
    with FakeTensorMode(allow_non_fake_inputs=True), FlopCounterMode(display=False) as counted:
        step(state, data)
    batch = config.optim.batch
    return counted.get_total_flops() / batch / 1e9, {name: passes / batch for name, passes in state.passes.items()}
