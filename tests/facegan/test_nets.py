"""The networks of 2019: their sizes and what they are shown."""

import pytest
import torch

from facegan.config import preset
from facegan.landmarks import map_channels
from facegan.nets.discriminator import Discriminator
from facegan.nets.generator import Generator, Head


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_u_net_64_has_the_posters_size() -> None:
    assert parameters(Generator(68, 64, "colour")) == pytest.approx(31.5e6, rel=0.01)


def test_patch_gan_32_has_the_posters_size() -> None:
    assert parameters(Discriminator(68, 32)) == pytest.approx(0.73e6, rel=0.01)


def test_a_logit_sees_seventy_pixels() -> None:
    network = Discriminator(1, 4)
    # The norms' statistics see the whole image; what is measured is the convolutions' field.
    network.layers = torch.nn.Sequential(*(m for m in network.layers if not isinstance(m, torch.nn.InstanceNorm2d)))
    image = torch.rand(1, 3, 160, 160, requires_grad=True)
    logits = network(image, torch.zeros(1, 1, 160, 160))
    middle = logits.shape[-1] // 2
    logits[0, 0, middle, middle].backward()
    assert image.grad is not None
    seen = image.grad[0].abs().sum(0).nonzero()
    assert (seen.max(0).values - seen.min(0).values + 1).tolist() == [70, 70]


@pytest.mark.parametrize("head", ["colour", "mask"])
@pytest.mark.parametrize("size", [32, 48, 128])
def test_images_stay_in_range_and_size(head: Head, size: int) -> None:
    image = torch.rand(2, 3, size, size) * 2 - 1
    out = Generator(8, 4, head)(image, torch.rand(2, 8, size, size))
    assert out.shape == image.shape
    assert out.abs().max() <= 1


def test_the_poster_preset_is_the_posters_model() -> None:
    model = preset("poster").model
    assert (model.generator_width, model.discriminator_width, model.head, map_channels(model)) == (64, 32, "colour", 68)
