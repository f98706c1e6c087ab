"""PyTorch's Adam and SGD, without TorchDynamo, which they import only to keep themselves out of compiled graphs.

No optimizer is compiled here, and the import takes one to two seconds of the start of each worker process. The methods are
those that PyTorch wraps for it, so all numbers stay the same.
"""

import inspect
from collections.abc import Callable
from typing import Any

import torch


def _unwrapped(method: Callable[..., Any]) -> Any:
    return inspect.unwrap(method)


class _WithoutDynamo(torch.optim.Optimizer):
    add_param_group = _unwrapped(torch.optim.Optimizer.add_param_group)
    zero_grad = _unwrapped(torch.optim.Optimizer.zero_grad)
    state_dict = _unwrapped(torch.optim.Optimizer.state_dict)
    load_state_dict = _unwrapped(torch.optim.Optimizer.load_state_dict)


class Adam(_WithoutDynamo, torch.optim.Adam):
    """torch.optim.Adam (Kingma and Ba 2015)."""

    step = torch.no_grad()(_unwrapped(torch.optim.Adam.step))


class SGD(_WithoutDynamo, torch.optim.SGD):
    """torch.optim.SGD."""

    step = torch.no_grad()(_unwrapped(torch.optim.SGD.step))
