"""Optimizers that do not import TorchDynamo."""

import subprocess
import sys
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn

from facegan.training.optimizers import SGD, Adam

ADAM, TORCH_ADAM = partial(Adam, lr=3e-3, fused=True), partial(torch.optim.Adam, lr=3e-3, fused=True)
OUR_SGD = partial(SGD, lr=3e-2, momentum=0.9, fused=True)
TORCH_SGD = partial(torch.optim.SGD, lr=3e-2, momentum=0.9, fused=True)


def trained(make: Any, steps: int, loaded: dict[str, Any] | None = None, start: int = 0) -> tuple[torch.Tensor, dict[str, Any]]:
    """The weight of a small network after some steps with this optimizer, and the optimizer's state."""
    torch.manual_seed(start)
    network = nn.Linear(5, 3)
    optimizer = make(network.parameters())
    if loaded is not None:
        optimizer.load_state_dict(loaded)
    for step in range(steps):
        optimizer.zero_grad()
        network(torch.full((4, 5), 0.1 * step + 1)).square().sum().backward()
        optimizer.step()
    assert network.weight.requires_grad and network.weight.is_leaf
    return network.weight.detach().clone(), optimizer.state_dict()


# Fused kernels would pass without torch.no_grad.
UNFUSED = [
    (partial(Adam, lr=3e-3), partial(torch.optim.Adam, lr=3e-3)),
    (partial(SGD, lr=3e-2, momentum=0.5), partial(torch.optim.SGD, lr=3e-2, momentum=0.5)),
]


@pytest.mark.parametrize(("ours", "reference"), [(ADAM, TORCH_ADAM), (OUR_SGD, TORCH_SGD), *UNFUSED])
def test_steps_are_those_of_torch(ours: Any, reference: Any) -> None:
    """Bit for bit, also after the state of either was loaded by the other."""
    (weight, state), (expected, expected_state) = trained(ours, 4), trained(reference, 4)
    assert torch.equal(weight, expected)
    assert state["param_groups"] == expected_state["param_groups"] and state["state"].keys() == expected_state["state"].keys()
    on, expected = trained(ours, 3, expected_state, start=1)[0], trained(reference, 3, state, start=1)[0]
    assert torch.equal(on, expected)
    assert not torch.equal(on, trained(ours, 3, start=1)[0]), "a state that was loaded changes the steps"


def test_torch_dynamo_is_not_imported() -> None:
    """By PyTorch's own optimizers it is."""
    code = """
import sys, torch
from {module} import SGD, Adam
for kind in (Adam, SGD):
    layer = torch.nn.Linear(2, 2)
    optimizer = kind(layer.parameters(), lr=0.1, fused=True)
    optimizer.zero_grad()
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
print("torch._dynamo" in sys.modules)
"""
    for module, imported in (("facegan.training.optimizers", "False"), ("torch.optim", "True")):
        done = subprocess.run([sys.executable, "-c", code.format(module=module)], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == imported
