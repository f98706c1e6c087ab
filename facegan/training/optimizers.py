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


class Adam(torch.optim.Adam):
    """torch.optim.Adam (Kingma and Ba 2015)."""

    add_param_group = _unwrapped(torch.optim.Adam.add_param_group)
    zero_grad = _unwrapped(torch.optim.Adam.zero_grad)
    state_dict = _unwrapped(torch.optim.Adam.state_dict)
    load_state_dict = _unwrapped(torch.optim.Adam.load_state_dict)
    step = torch.no_grad()(_unwrapped(torch.optim.Adam.step))


class SGD(torch.optim.SGD):
    """torch.optim.SGD."""

    add_param_group = _unwrapped(torch.optim.SGD.add_param_group)
    zero_grad = _unwrapped(torch.optim.SGD.zero_grad)
    state_dict = _unwrapped(torch.optim.SGD.state_dict)
    load_state_dict = _unwrapped(torch.optim.SGD.load_state_dict)
    step = torch.no_grad()(_unwrapped(torch.optim.SGD.step))
