"""`NormLeaky` on a GPU as one kernel a pass, over activations that lie channels last. Equal to torch's in Triton's interpreter.

Not measured on a GPU yet, and off by default (`optim.fused_norm`). A program normalises a block of channels of one sample.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

_POSITIONS, _CHANNELS, _WARPS = 128, 16, 8
"""Positions that a program reads at a time, and its channels: 16 in bfloat16 are 32 bytes, the least that memory gives."""


def forward(x: Tensor, slope: float, eps: float) -> tuple[Tensor, Tensor]:
    """LeakyReLU of the normalised x [batch, c, h, w], and 1 / deviation [batch * c] in float32."""
    x = x.contiguous(memory_format=torch.channels_last)
    batch, channels, height, width = x.shape
    out, inverse_std = torch.empty_like(x), torch.empty(batch * channels, dtype=torch.float32, device=x.device)
    grid = (batch, triton.cdiv(channels, _CHANNELS))
    _forward[grid](
        x, out, inverse_std, height * width, channels, slope, eps, POSITIONS=_POSITIONS, CHANNELS=_CHANNELS, num_warps=_WARPS
    )
    return out, inverse_std


def backward(gradient: Tensor, out: Tensor, inverse_std: Tensor, slope: float) -> Tensor:
    """The gradient [batch, c, h, w] with respect to x, from the one with respect to `out` and from what `forward` returned."""
    gradient = gradient.contiguous(memory_format=torch.channels_last)
    batch, channels, height, width = out.shape
    into = torch.empty_like(out)
    grid = (batch, triton.cdiv(channels, _CHANNELS))
    _backward[grid](
        gradient, out, inverse_std, into, height * width, channels, slope,
        POSITIONS=_POSITIONS, CHANNELS=_CHANNELS, num_warps=_WARPS,
    )  # fmt: skip
    return into


@triton.jit  # type: ignore[untyped-decorator]
def _forward(x, out, inverse_std, positions, channels, slope, eps, POSITIONS: tl.constexpr, CHANNELS: tl.constexpr):  # type: ignore[no-untyped-def]
    sample, channel = tl.program_id(0).to(tl.int64), tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    offsets = sample * positions * channels + tl.arange(0, POSITIONS)[:, None] * channels + channel[None, :]
    # The mean first, then the squares around it: their sum over a bright channel would lose its digits.
    total = tl.zeros([POSITIONS, CHANNELS], tl.float32)
    for first in range(0, positions, POSITIONS):
        inside = (first + tl.arange(0, POSITIONS) < positions)[:, None] & (channel < channels)[None, :]
        total += tl.load(x + offsets + first * channels, mask=inside, other=0.0).to(tl.float32)
    mean = tl.sum(total, 0) / positions
    squares = tl.zeros([POSITIONS, CHANNELS], tl.float32)
    for first in range(0, positions, POSITIONS):
        inside = (first + tl.arange(0, POSITIONS) < positions)[:, None] & (channel < channels)[None, :]
        value = tl.load(x + offsets + first * channels, mask=inside, other=0.0).to(tl.float32)
        centred = tl.where(inside, value - mean[None, :], 0.0)
        squares += centred * centred
    scale = 1.0 / tl.sqrt(tl.sum(squares, 0) / positions + eps)
    tl.store(inverse_std + sample * channels + channel, scale, mask=channel < channels)
    for first in range(0, positions, POSITIONS):
        inside = (first + tl.arange(0, POSITIONS) < positions)[:, None] & (channel < channels)[None, :]
        value = tl.load(x + offsets + first * channels, mask=inside, other=0.0).to(tl.float32)
        value = (value - mean[None, :]) * scale[None, :]
        value = tl.where(value > 0, value, slope * value)
        tl.store(out + offsets + first * channels, value.to(out.dtype.element_ty), mask=inside)


@triton.jit  # type: ignore[untyped-decorator]
def _backward(gradient, out, inverse_std, into, positions, channels, slope, POSITIONS: tl.constexpr, CHANNELS: tl.constexpr):  # type: ignore[no-untyped-def]
    sample, channel = tl.program_id(0).to(tl.int64), tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    offsets = sample * positions * channels + tl.arange(0, POSITIONS)[:, None] * channels + channel[None, :]
    scale = tl.load(inverse_std + sample * channels + channel, mask=channel < channels, other=0.0)
    # The means of the gradient and of its product with the normalised input, which is recomputed from the output.
    total = tl.zeros([POSITIONS, CHANNELS], tl.float32)
    product = tl.zeros([POSITIONS, CHANNELS], tl.float32)
    for first in range(0, positions, POSITIONS):
        inside = (first + tl.arange(0, POSITIONS) < positions)[:, None] & (channel < channels)[None, :]
        value = tl.load(out + offsets + first * channels, mask=inside, other=0.0).to(tl.float32)
        through = tl.load(gradient + offsets + first * channels, mask=inside, other=0.0).to(tl.float32)
        through = tl.where(value > 0, through, slope * through)
        total += through
        product += through * tl.where(value > 0, value, value / slope)
    mean, along = tl.sum(total, 0) / positions, tl.sum(product, 0) / positions
    for first in range(0, positions, POSITIONS):
        inside = (first + tl.arange(0, POSITIONS) < positions)[:, None] & (channel < channels)[None, :]
        value = tl.load(out + offsets + first * channels, mask=inside, other=0.0).to(tl.float32)
        through = tl.load(gradient + offsets + first * channels, mask=inside, other=0.0).to(tl.float32)
        through = tl.where(value > 0, through, slope * through)
        normalised = tl.where(value > 0, value, value / slope)
        through = (through - mean[None, :] - normalised * along[None, :]) * scale[None, :]
        tl.store(into + offsets + first * channels, through.to(into.dtype.element_ty), mask=inside)
