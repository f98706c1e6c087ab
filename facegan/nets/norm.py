"""Instance norm without affine parameters and LeakyReLU as one operation that stores only its output for the backward pass."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

SLOPE = 0.2
_EPS = 1e-5


class NormLeaky(nn.Module):
    """LeakyReLU(0.2) of x [batch, c, h, w] with each channel of each sample normalised to mean 0 and variance 1."""

    fused = False
    """Whether a GPU computes it as one kernel a pass (norm_triton.py)."""

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = _NormLeaky.apply(x, self.fused)  # type: ignore[no-untyped-call]
        return out


def use_fused_norms(network: nn.Module) -> None:
    """Set `NormLeaky.fused` in a whole network."""
    for module in network.modules():
        if isinstance(module, NormLeaky):
            module.fused = True


class _NormLeaky(torch.autograd.Function):
    """Both steps are invertible, so the backward pass recomputes the input from the output, which the next convolution stores.

    Separate modules store three tensors of this size (In-Place Activated BatchNorm, Rota Bulo et al. 2018).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, fused: bool) -> Tensor:
        ctx.fused = fused
        out, inverse_std = fused_forward(x) if fused else _forward(x)
        ctx.save_for_backward(out, inverse_std)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return (fused_backward if ctx.fused else _backward)(gradient, *ctx.saved_tensors), None


def _forward(x: Tensor) -> tuple[Tensor, Tensor]:
    batch, channels, height, width = x.shape
    flat = x.reshape(1, batch * channels, height, width)
    out, _, inverse_std = torch.native_batch_norm(flat, None, None, None, None, True, 0.0, _EPS)
    return F.leaky_relu_(out, SLOPE).view(x.shape), inverse_std


def _backward(gradient: Tensor, out: Tensor, inverse_std: Tensor) -> Tensor:
    flat = (1, len(inverse_std), *out.shape[2:])
    out = out.view(flat)
    through_act = torch.ops.aten.leaky_relu_backward(gradient.reshape(flat), out, SLOPE, True)
    centred = F.leaky_relu(out, 1 / SLOPE).div_(inverse_std.view(1, -1, 1, 1))
    into: Tensor = torch.ops.aten.native_batch_norm_backward(
        through_act, centred, None, None, None, torch.zeros_like(inverse_std), inverse_std, True, _EPS, [True, False, False]
    )[0]
    return into.view(gradient.shape)


@torch.library.custom_op("facegan::norm_leaky", mutates_args=())
def fused_forward(x: Tensor) -> tuple[Tensor, Tensor]:
    """The output, and 1 / deviation of each channel of each sample, as one operation: on a GPU one kernel."""
    out, inverse_std = _forward(x)
    return out.clone(), inverse_std


@torch.library.custom_op("facegan::norm_leaky_backward", mutates_args=())
def fused_backward(gradient: Tensor, out: Tensor, inverse_std: Tensor) -> Tensor:
    """The gradient with respect to x, as one operation: on a GPU one kernel."""
    return _backward(gradient, out, inverse_std)


@fused_forward.register_kernel("cuda")
def _(x: Tensor) -> tuple[Tensor, Tensor]:
    from facegan.nets import norm_triton  # comes with PyTorch for GPUs only

    return norm_triton.forward(x, SLOPE, _EPS)


@fused_backward.register_kernel("cuda")
def _(gradient: Tensor, out: Tensor, inverse_std: Tensor) -> Tensor:
    from facegan.nets import norm_triton

    return norm_triton.backward(gradient, out, inverse_std, SLOPE)


@fused_forward.register_fake
def _(x: Tensor) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x), torch.empty(x.shape[0] * x.shape[1], dtype=torch.float32, device=x.device)


@fused_backward.register_fake
def _(gradient: Tensor, out: Tensor, inverse_std: Tensor) -> Tensor:
    return torch.empty_like(out)
