"""One training step in NumPy and float64: every term, the discriminator's loss, and both optimizers, from their definitions.

Written from the formulas of the study and the published optimizers, and from no code of `facegan.losses` or
`facegan.training.step`. Images are [batch, 3, size, size].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from tests.facegan.nets.reference_nets import Weights, discriminator, generator, vgg_features

Array: TypeAlias = NDArray[np.float64]

WEIGHTS = {
    "adversarial": 1.0,
    "pixel": 10.0,
    "self_consistency": 100.0,
    "triple_consistency": 100.0,
    "perceptual": 10.0,
    "identity": 1.0,
    "style": 0.0,
}
"""Of the poster."""


@dataclass(frozen=True)
class Frames:
    """Source and target images in [-1, 1], and the landmark maps of the source, the target and a third frame."""

    source: Array
    target: Array
    source_maps: Array
    target_maps: Array
    third_maps: Array


@dataclass(frozen=True)
class Networks:
    """Weights of the networks, and the generator's head."""

    generator: Weights
    discriminator: Weights
    vgg: Weights
    head: str


def signed(images: NDArray[np.uint8]) -> Array:
    """0 becomes -1, 255 becomes 1."""
    return (images.astype(np.float64) - 127.5) / 127.5


def image_distance(a: Array, b: Array, form: str) -> float:
    """The pixel-space distance of two batches of images, sample by sample."""
    of_samples = []
    for one, other in zip(a, b, strict=True):
        if form == "l2":
            of_samples.append(np.mean((one - other) ** 2))
        else:
            mean = np.mean(np.abs(one - other))
            of_samples.append({"l1": mean, "l1_squared": mean**2}[form])
    return float(np.mean(of_samples))


def feature_distance(a: dict[str, Array], b: dict[str, Array], layers: Sequence[str]) -> float:
    """Sum over layers of the mean absolute difference."""
    return float(sum(np.abs(a[layer] - b[layer]).mean() for layer in layers))


def gram(features: Array) -> Array:
    """[c, c] of one sample [c, h, w] (Gatys et al. 2016), divided by c h w."""
    products: Array = np.einsum("ihw,jhw->ij", features, features)
    return products / features.size


def style_distance(a: dict[str, Array], b: dict[str, Array], layers: Sequence[str]) -> float:
    """Sum over layers of the mean absolute difference of the samples' Gram matrices."""
    pairs = {layer: zip(a[layer], b[layer], strict=True) for layer in layers}
    return float(sum(np.mean([np.abs(gram(one) - gram(other)) for one, other in pairs[layer]]) for layer in layers))


def cross_entropy(logits: Array, label: int) -> float:
    """Mean of -log of the probability of the label."""
    probability = 1 / (1 + np.exp(-logits))
    return float(-np.log(probability if label else 1 - probability).mean())


PERCEPTUAL = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")


def terms(networks: Networks, frames: Frames, pixel_form: str, consistency_form: str) -> dict[str, float]:
    """The unweighted value of every term of the generator's loss."""

    def draw(image: Array, maps: Array) -> Array:
        return generator(networks.generator, image, maps, networks.head)

    generated = draw(frames.source, frames.target_maps)
    back = draw(generated, frames.source_maps)
    by_way_of_third = draw(draw(frames.source, frames.third_maps), frames.target_maps)
    seen, wanted = (vgg_features(networks.vgg, image) for image in (generated, frames.target))
    return {
        "adversarial": cross_entropy(discriminator(networks.discriminator, generated, frames.target_maps), 1),
        "pixel": image_distance(generated, frames.target, pixel_form),
        "self_consistency": image_distance(back, frames.source, consistency_form),
        "triple_consistency": image_distance(by_way_of_third, generated, consistency_form),
        "perceptual": feature_distance(seen, wanted, PERCEPTUAL),
        "identity": feature_distance(seen, wanted, ("relu3_2",)),
        "style": style_distance(seen, wanted, PERCEPTUAL),
    }


def discriminator_loss(networks: Networks, frames: Frames) -> tuple[float, float]:
    """Cross-entropy of target (1) and generated image (0), and the share of their patches on the right side of 0."""
    generated = generator(networks.generator, frames.source, frames.target_maps, networks.head)
    real, fake = (discriminator(networks.discriminator, image, frames.target_maps) for image in (frames.target, generated))
    loss = (cross_entropy(real, 1) + cross_entropy(fake, 0)) / 2
    return loss, float(np.mean(np.concatenate([real > 0, fake < 0])))


def sgd(start: Array, gradients: Sequence[Array], rate: float) -> Array:
    """A parameter after a step along each gradient."""
    moved: Array = start - rate * np.sum(gradients, axis=0)
    return moved


def adam(start: Array, gradients: Sequence[Array], rate: float) -> Array:
    """A parameter after a step for each gradient (Kingma and Ba 2015, algorithm 1 with its default settings)."""
    mean, square = np.zeros_like(start), np.zeros_like(start)
    value = start
    for count, gradient in enumerate(gradients, 1):
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        value = value - rate * (mean / (1 - 0.9**count)) / (np.sqrt(square / (1 - 0.999**count)) + 1e-8)
    return value
