"""What a step asks of a GPU: how many operations, and none that waits for the device or copies from the CPU."""

from collections import Counter
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from facegan.config import Config
from facegan.nets.norm import use_fused_norms
from facegan.presets import preset
from facegan.training.packing import random_batch
from facegan.training.state import new_state
from facegan.training.step import step

MOST = 400
FREE = ("aten.empty", "aten.detach", "profiler.")
"""Operations that launch nothing on a GPU, besides views."""
WAITS = ("aten._local_scalar_dense", "aten.nonzero", "aten.masked_select", "aten.is_nonzero", "aten.equal")


class Seen(TorchDispatchMode):
    """Counts operations and keeps what crosses from one device to another."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations: Counter[str] = Counter()
        self.crossings: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not func.is_view and not str(func).startswith(FREE):
            self.operations[str(func)] += 1
        tensors = [t for t in tree_leaves((args, kwargs, out)) if isinstance(t, torch.Tensor)]
        if len({t.device.type for t in tensors}) > 1 or any(t.device.type == "cpu" and t.dim() for t in tensors):
            self.crossings.append(str(func))
        return out


def of_preset(name: str) -> Config:
    """The structure of a preset in bfloat16, so narrow that its step takes no time on a CPU."""
    narrow = {"vgg.weights": "random", "vgg.width": 4, "model.generator_width": 4, "model.discriminator_width": 4}
    config = preset(name).override({**narrow, "data.size": 32, "start": "random", "optim.precision": "bf16"})
    return config.override({"model.first_layer": "dense"}).with_batch(2)


@pytest.mark.parametrize("name", ["demo", "poster", pytest.param("study", marks=pytest.mark.slow)])
def test_a_step_asks_for_at_most_400_operations(name: str) -> None:
    config = of_preset(name)
    state = new_state(config, torch.device("cpu"))
    use_fused_norms(state.generator)
    use_fused_norms(state.discriminator)
    step(state, random_batch(config))
    with Seen() as seen:
        step(state, random_batch(config))
    assert 300 < seen.operations.total() <= MOST, seen.operations.most_common()


@pytest.mark.parametrize("diagnostics", [False, True])
@pytest.mark.parametrize("name", ["demo", "poster", pytest.param("study", marks=pytest.mark.slow)])
def test_nothing_in_a_step_waits_or_comes_from_the_cpu(name: str, diagnostics: bool) -> None:
    """On the device `meta`, where no tensor has values, so that every use of a value on the CPU is an error."""
    config = of_preset(name)
    state = new_state(config, torch.device("meta"))
    # The fused optimizers exist on real devices only.
    state.generator_optimizer = torch.optim.SGD(state.generator.parameters(), foreach=True)
    state.discriminator_optimizer = torch.optim.SGD(state.discriminator.parameters(), foreach=True)
    batch = random_batch(config).to(torch.device("meta"))
    step(state, batch)
    with Seen() as seen:
        step(state, batch, gradient_diagnostics=diagnostics)
    assert seen.operations.total() > 300
    assert not seen.crossings
    assert not [name for name in seen.operations if name.startswith(WAITS)]
