"""The FLOPs of a training step, counted by torch without computing anything.

The step runs on tensors without storage, so counting takes a second at any size and gives the same number on every machine.
Counted are the multiply-adds of convolutions and matrix products, two FLOPs each, forward and backward. Elementwise work, the
optimizers and the gradient diagnostics are left out. The first layer counts as dense, although a CPU skips most of it.
"""

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from facegan.config import Config
from facegan.landmarks.maps import landmark_input
from facegan.nets.vgg import Vgg19
from facegan.training.packing import random_batch
from facegan.training.state import new_state
from facegan.training.step import step


def count_step(config: Config, vgg: Vgg19 | None = None) -> tuple[float, dict[str, float]]:
    """GFLOP per image of a training step, and how often each network is applied per image.

    `vgg` is one with the configuration's width, which need not be built again; its weights are no matter.
    """
    plain = {
        "vgg.weights": "random",
        "model.first_layer": "dense",
        "optim.precision": "fp32",
        "optim.compile": False,
        "start": "random",
    }
    config = config.override(plain)
    state, data = new_state(config, torch.device("cpu"), vgg), random_batch(config)
    # Drawing maps caches index tensors for the rest of the process: made here, outside the fake mode, they have storage.
    landmark_input(data.target_points, config.data.size, config.model)
    with FakeTensorMode(allow_non_fake_inputs=True), FlopCounterMode(display=False) as counted:
        step(state, data)
    batch = config.optim.batch
    return counted.get_total_flops() / batch / 1e9, {name: passes / batch for name, passes in state.passes.items()}
