"""The terms of the loss: one formula each, over what the networks made of a batch.

Values are means over the batch, so they do not depend on its size. F = G(source, target landmarks) is the generated image.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from facegan.config import LossConfig
from facegan.nets.vgg import IDENTITY_LAYER, PERCEPTUAL_LAYERS

Distance = Literal["l2", "l1_squared", "l1"]
Cycle = Literal["back_to_source", "by_way_of_third"]


class Passes(Protocol):
    """What terms can read of one training step. Images are [batch, 3, size, size] in [-1, 1].

    A network pass is made when a term reads its result for the first time, so terms that are off cost nothing.
    """

    @property
    def source(self) -> Tensor:
        """The source image."""

    @property
    def target(self) -> Tensor:
        """The target image."""

    @property
    def generated(self) -> Tensor:
        """F, the generated image."""

    @property
    def generated_logits(self) -> Tensor:
        """The discriminator's patch logits [batch, 1, h, w] of F."""

    def cycle(self, name: Cycle) -> Tensor:
        """back_to_source: G(F, source landmarks); by_way_of_third: G(G(source, third landmarks), target landmarks)."""

    @property
    def generated_features(self) -> dict[int, Tensor]:
        """VGG-19's activations of F, by layer."""

    @property
    def target_features(self) -> dict[int, Tensor]:
        """VGG-19's activations of the target, by layer; they carry no gradient."""


@dataclass(frozen=True, slots=True)
class Formula:
    """The unweighted value of a term, and the passes that must be planned for it before the first generator call."""

    value: Callable[[Passes, LossConfig], Tensor]
    text: str
    """The formula in words and symbols, for tables."""
    discriminator: bool = False
    """Whether it reads the discriminator, which is then trained."""
    cycle: Cycle | None = None
    """The second generator pass that it reads."""
    vgg_layers: tuple[int, ...] = ()
    """The layers of VGG-19 that it reads."""


def distance(a: Tensor, b: Tensor, form: Distance) -> Tensor:
    """Distance of images [batch, 3, h, w] in pixel space, a scalar.

    l1: mean |a - b|; l2: mean (a - b)^2; l1_squared: the mean over samples of (mean |a - b| of the sample)^2, as in 2019.
    """
    if form == "l2":
        return F.mse_loss(a, b)
    if form == "l1":
        return mean_absolute(a, b)
    of_samples = absolute(a, b).flatten(1).mean(dim=1)
    return F.mse_loss(of_samples, torch.zeros_like(of_samples))


def absolute(a: Tensor, b: Tensor) -> Tensor:
    """|a - b|, as one operation with one more for its gradient: smooth L1 (Girshick 2015), curved only below any difference."""
    return F.smooth_l1_loss(a, b, reduction="none", beta=_TINY)


def mean_absolute(a: Tensor, b: Tensor) -> Tensor:
    """The mean of |a - b|, in the same way."""
    return F.smooth_l1_loss(a, b, beta=_TINY)


_TINY = 1e-30


def adversarial(logits: Tensor) -> Tensor:
    """Non-saturating generator loss (Goodfellow et al. 2014): binary cross-entropy of F's patch logits against 'real'."""
    return F.softplus(-_full(logits)).mean()


def discriminator(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Binary cross-entropy of patch logits, real against 1 and fake against 0, averaged, and the accuracy."""
    towards_mistake = _full(torch.cat([-real, fake]))
    return F.softplus(towards_mistake).mean(), (towards_mistake < 0).mean(dtype=torch.float32)


def feature_l1(generated: dict[int, Tensor], target: dict[int, Tensor], layers: tuple[int, ...]) -> Tensor:
    """Sum over layers of the mean absolute difference of activations (Johnson et al. 2016, with L1)."""
    return _sum([mean_absolute(_full(generated[k]), _full(target[k])) for k in layers])


def style(generated: dict[int, Tensor], target: dict[int, Tensor], layers: tuple[int, ...]) -> Tensor:
    """Sum over layers of the mean absolute difference of Gram matrices, each of one sample (Gatys et al. 2016)."""
    return _sum([mean_absolute(gram(generated[k]), gram(target[k])) for k in layers])


def gram(features: Tensor) -> Tensor:
    """[batch, c, h, w] to [batch, c, c]: inner products of a sample's channels over its positions, divided by c h w."""
    flat = _full(features).flatten(2)
    return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])


def _sum(values: list[Tensor]) -> Tensor:
    return functools.reduce(torch.add, values)


def _full(values: Tensor) -> Tensor:
    """At least float32, which sums over many small values need."""
    return values.float() if values.dtype == torch.bfloat16 else values


FORMULAS: dict[str, Formula] = {
    "adversarial": Formula(
        lambda passes, _: adversarial(passes.generated_logits),
        "-log sigmoid(D(F)), mean over patches",
        discriminator=True,
    ),
    "pixel": Formula(
        lambda passes, config: distance(passes.generated, passes.target, config.pixel_form),
        "\\|F - T\\|², mean over pixels",
    ),
    "self_consistency": Formula(
        lambda passes, config: distance(passes.cycle("back_to_source"), passes.source, config.consistency_form),
        "(mean \\|G(F, s) - S\\|)²",
        cycle="back_to_source",
    ),
    "triple_consistency": Formula(
        lambda passes, config: distance(passes.cycle("by_way_of_third"), passes.generated, config.consistency_form),
        "(mean \\|G(G(S, u), t) - F\\|)²",
        cycle="by_way_of_third",
    ),
    "perceptual": Formula(
        lambda passes, _: feature_l1(passes.generated_features, passes.target_features, PERCEPTUAL_LAYERS),
        "mean \\|φ(F) - φ(T)\\| at four VGG-19 layers, summed",
        vgg_layers=PERCEPTUAL_LAYERS,
    ),
    "identity": Formula(
        lambda passes, _: feature_l1(passes.generated_features, passes.target_features, (IDENTITY_LAYER,)),
        "mean \\|φ(F) - φ(T)\\| at relu3_2",
        vgg_layers=(IDENTITY_LAYER,),
    ),
    "style": Formula(
        lambda passes, _: style(passes.generated_features, passes.target_features, PERCEPTUAL_LAYERS),
        "mean \\|Gram φ(F) - Gram φ(T)\\| at four VGG-19 layers, summed",
        vgg_layers=PERCEPTUAL_LAYERS,
    ),
}
"""Each term of `facegan.config.TERMS`, by its name."""
