"""The terms of the loss, one pure function each; values are means over the batch, so they do not depend on its size."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Form = Literal["l2", "l1_squared", "l1"]


def distance(a: Tensor, b: Tensor, form: Form) -> Tensor:
    """Distance of images [batch, 3, h, w] in pixel space, a scalar.

    l1: mean |a - b|; l2: mean (a - b)^2; l1_squared: the mean over samples of (mean |a - b| of the sample)^2, as in 2019.
    """
    if form == "l2":
        return (a - b).square().mean()
    per_sample = (a - b).abs().flatten(1).mean(dim=1)
    return per_sample.square().mean() if form == "l1_squared" else per_sample.mean()


def full(values: Tensor) -> Tensor:
    """At least float32: sums over many small values need it."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def adversarial(logits: Tensor) -> Tensor:
    """Non-saturating generator loss: binary cross-entropy of the fake's patch logits against 'real'."""
    return F.softplus(-full(logits)).mean()


def discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Binary cross-entropy of patch logits, real against 1 and fake against 0, averaged."""
    return (F.softplus(-full(real)).mean() + F.softplus(full(fake)).mean()) / 2


def feature_l1(generated: dict[int, Tensor], target: dict[int, Tensor], layers: tuple[int, ...]) -> Tensor:
    """Sum over layers of the mean absolute difference of activations."""
    return torch.stack([(full(generated[k]) - full(target[k])).abs().mean() for k in layers]).sum()


def style(generated: dict[int, Tensor], target: dict[int, Tensor], layers: tuple[int, ...]) -> Tensor:
    """Sum over layers of the mean absolute difference of Gram matrices, each of one sample (Gatys et al. 2016)."""
    return torch.stack([(gram(generated[k]) - gram(target[k])).abs().mean() for k in layers]).sum()


def gram(features: Tensor) -> Tensor:
    """[batch, c, h, w] to [batch, c, c]: inner products of a sample's channels over its positions, divided by c h w."""
    flat = full(features).flatten(2)
    return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])
