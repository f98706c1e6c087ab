"""Passes in bfloat16 through copies of a network's weights, which stay in float32 with their gradients and moments.

torch.autocast copies every weight by itself in each pass and sums the gradients of two passes one by one: 250 operations of a
step. Here all weights are copied at once, and all gradients are summed at once, to the same values.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.func import functional_call

Weights = dict[str, Tensor]
"""A network's parameters by name."""


class WithWeights(nn.Module):
    """Calls a network with other weights than its own, or with its own for None."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, weights: Weights | None, *inputs: Tensor) -> Tensor:
        out: Tensor = self.network(*inputs) if weights is None else functional_call(self.network, weights, inputs)
        return out


def bf16_copies(network: nn.Module, passes: int) -> list[Weights | None]:
    """Copies of a network's parameters in bfloat16, one set for each pass that will be made with them.

    All sets share their memory. Their gradients are added in float32, as if each pass had cast the parameters by itself.
    """
    names, parameters = zip(*network.named_parameters(), strict=True)
    copies = _Copies.apply(passes, *parameters)  # type: ignore[no-untyped-call]
    count = len(names)
    return [dict(zip(names, copies[i * count : (i + 1) * count], strict=True)) for i in range(passes)]


class _Copies(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, passes: int, *parameters: Tensor) -> tuple[Tensor, ...]:
        ctx.parameters = parameters
        ctx.set_materialize_grads(False)
        # One memory each: glibc would give back a single large one after every step, and the kernel clear it again.
        copies = [torch.empty_like(parameter, dtype=torch.bfloat16) for parameter in parameters]
        torch._foreach_copy_(copies, list(parameters))
        return tuple(copy.detach() for _ in range(passes) for copy in copies)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        count = len(ctx.parameters)
        total: list[Tensor] = []
        for first in range(0, len(gradients), count):
            of_pass = gradients[first : first + count]
            if all(gradient is None for gradient in of_pass):
                continue  # a term that does not read this pass
            into = [torch.empty_like(parameter) for parameter in ctx.parameters]
            # A parameter that this pass does not read has no gradient here.
            torch._foreach_copy_(into, [torch.zeros_like(p) if g is None else g for g, p in zip(of_pass, into, strict=True)])
            if total:
                torch._foreach_add_(total, into)
            else:
                total = into
        return None, *(total if total else [None] * count)
