"""The networks against their definitions in NumPy, float64."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from facegan.config import VggConfig
from facegan.nets.discriminator import Discriminator
from facegan.nets.generator import Generator, Head
from facegan.nets.vgg import IDENTITY_LAYER, PERCEPTUAL_LAYERS, build_vgg
from tests.facegan.nets.reference_nets import discriminator, generator, vgg_features, weights_of


@pytest.fixture(autouse=True)
def in_float64() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def images_and_maps(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.rand(2, 3, size, size) * 2 - 1, torch.rand(2, 5, size, size)


@pytest.mark.parametrize("head", ["colour", "mask"])
def test_the_generator_is_the_references(head: Head) -> None:
    image, maps = images_and_maps(32)
    network = Generator(5, 4, head, 1.0)
    expected = generator(weights_of(network), image.numpy(), maps.numpy(), head)
    np.testing.assert_allclose(network(image, maps).detach().numpy(), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("size", [32, 48])
def test_the_discriminator_is_the_references(size: int) -> None:
    image, maps = images_and_maps(size)
    network = Discriminator(5, 4, 1.0)
    expected = discriminator(weights_of(network), image.numpy(), maps.numpy())
    assert expected.shape[2:] == (size // 8 - 2, size // 8 - 2)
    np.testing.assert_allclose(network(image, maps).detach().numpy(), expected, rtol=0, atol=1e-10)


def test_the_features_are_vgg_19s_by_name() -> None:
    """Dark images of one colour too: a wrong normalisation or order of channels shows in all layers."""
    image, _ = images_and_maps(32)
    image[0] = torch.tensor([0.9, -0.8, 0.1]).view(3, 1, 1)
    network = build_vgg(VggConfig(weights="random", width=4))
    found = network(image, (*PERCEPTUAL_LAYERS, IDENTITY_LAYER))
    expected = vgg_features(weights_of(network), image.numpy())
    names = {"relu1_2": 3, "relu2_2": 8, "relu3_2": 13, "relu3_3": 15, "relu4_3": 24}
    assert set(found) == set(names.values())
    for name, position in names.items():
        np.testing.assert_allclose(found[position].numpy(), expected[name], rtol=1e-10, atol=1e-12, err_msg=name)


def test_random_vgg_weights_keep_the_size_of_activations() -> None:
    """He et al. 2015: variance 2 / inputs of a convolution, no bias."""
    weights = weights_of(build_vgg(VggConfig(weights="random", width=16)))
    for name, weight in weights.items():
        if name.endswith("bias"):
            assert not weight.any(), name
        elif weight.size > 10_000:
            assert weight.std() == pytest.approx(np.sqrt(2 / weight[0].size), rel=0.05), name
