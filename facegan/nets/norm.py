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

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = _NormLeaky.apply(x)  # type: ignore[no-untyped-call]
        return out


class _NormLeaky(torch.autograd.Function):
    """Both steps are invertible, so the backward pass recomputes the input from the output, which the next convolution stores.

    Separate modules store three tensors of this size (In-Place Activated BatchNorm, Rota Bulo et al. 2018).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        flat = x.reshape(1, batch * channels, height, width)
        out, _, inverse_std = torch.native_batch_norm(flat, None, None, None, None, True, 0.0, _EPS)
        F.leaky_relu_(out, SLOPE)
        ctx.save_for_backward(out, inverse_std)
        return out.view(x.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        out, inverse_std = ctx.saved_tensors
        through_act = torch.ops.aten.leaky_relu_backward(gradient.reshape(out.shape), out, SLOPE, True)
        centred = F.leaky_relu(out, 1 / SLOPE).div_(inverse_std.view(1, -1, 1, 1))
        through_norm, _, _ = torch.ops.aten.native_batch_norm_backward(
            through_act, centred, None, None, None, torch.zeros_like(inverse_std), inverse_std, True, _EPS, [True, False, False]
        )
        into: Tensor = through_norm.view(gradient.shape)
        return into
