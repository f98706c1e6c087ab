"""Generator and discriminator: their sizes, ranges and receptive field, and the equivalence of their fast layers."""

import pytest
import torch

from facegan.landmarks.maps import draw_points, map_channels
from facegan.nets.discriminator import Discriminator
from facegan.nets.first_layer import FirstLayer
from facegan.nets.generator import Generator, Head
from facegan.nets.norm import SLOPE, NormLeaky, use_fused_norms
from facegan.presets import preset


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_u_net_64_has_the_parameters_of_the_poster() -> None:
    assert parameters(Generator(68, 64, "colour", 1.0)) == pytest.approx(31.5e6, rel=0.01)


def test_patch_gan_32_has_the_parameters_of_the_poster() -> None:
    assert parameters(Discriminator(68, 32, 1.0)) == pytest.approx(0.73e6, rel=0.01)


def test_the_receptive_field_of_a_logit_is_70_pixels() -> None:
    network = Discriminator(1, 4, 1.0)
    # The norms' statistics see the whole image; what is measured is the convolutions' field.
    network.layers = torch.nn.Sequential(
        *(torch.nn.LeakyReLU(SLOPE) if isinstance(m, NormLeaky) else m for m in network.layers)
    )
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
    out = Generator(8, 4, head, 1.0)(image, torch.rand(2, 8, size, size))
    assert out.shape == image.shape
    assert out.abs().max() <= 1


def test_the_poster_preset_builds_the_model_of_the_poster() -> None:
    model = preset("poster").model
    assert (model.generator_width, model.discriminator_width, model.head, map_channels(model)) == (64, 32, "colour", 68)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_norm_leaky_equals_the_two_modules_of_torch(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    x = (torch.randn(3, 5, 6, 6, dtype=dtype) * 3 + 1).requires_grad_()
    stock = torch.nn.functional.leaky_relu(torch.nn.functional.instance_norm(x), SLOPE)
    ours = NormLeaky()(x)
    weight = torch.randn_like(x)
    (expected,) = torch.autograd.grad(stock, x, weight)
    (found,) = torch.autograd.grad(ours, x, weight)
    tolerance = 1e-6 if dtype == torch.float32 else 1e-14
    assert torch.allclose(ours, stock, atol=tolerance)
    assert torch.allclose(found, expected, atol=2 * tolerance)


def test_norm_leaky_as_one_operation_is_the_same() -> None:
    torch.manual_seed(0)
    x = (torch.randn(3, 5, 6, 6) * 3 + 1).requires_grad_()
    norm, weight = NormLeaky(), torch.randn_like(x)
    plain = norm(x)
    use_fused_norms(norm)
    fused = norm(x)
    assert norm.fused and torch.equal(fused, plain)
    (found,), (expected,) = (torch.autograd.grad(out, x, weight) for out in (fused, plain))
    assert torch.equal(found, expected)


def test_norm_leaky_stores_only_its_output_and_one_number_per_channel() -> None:
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    kept: list[int] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        NormLeaky()(x)
    assert sorted(kept) == [6, x.numel()]


PLACES = {
    "inside": torch.tensor([[20.3, 11.8], [8.0, 8.0], [15.5, 30.25]]),
    "at the edges": torch.tensor([[0.0, 31.0], [31.4, -0.6], [-2.2, 33.9]]),
    "far outside": torch.tensor([[-40.0, 5.0], [5.0, 90.0], [1e4, -1e4]]),
    "on top of each other": torch.tensor([[12.1, 12.2], [12.1, 12.2], [12.4, 12.2]]),
}


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(5, 1, 2), (4, 2, 1), (3, 1, 1), (7, 3, 2)])
@pytest.mark.parametrize("sigma", [0.6, 1.0, 1.7])
@pytest.mark.parametrize("where", list(PLACES))
def test_the_sparse_first_layer_equals_the_dense_one(where: str, kernel: int, stride: int, padding: int, sigma: float) -> None:
    torch.manual_seed(0)
    layer = FirstLayer(3, 6, kernel, stride=stride, padding=padding, sigma=sigma)
    image = torch.randn(2, 3, 32, 32, requires_grad=True)
    points = torch.stack([PLACES[where], PLACES["inside"].flip(1)])
    dense, sparse = layer(image, draw_points(points, 32, sigma)), layer(image, points)
    assert torch.allclose(sparse, dense, atol=1e-5)
    into = [image, *layer.parameters()]
    weight = torch.randn_like(dense)
    for found, expected in zip(
        torch.autograd.grad(sparse, into, weight), torch.autograd.grad(dense, into, weight), strict=True
    ):
        assert torch.allclose(found, expected, atol=1e-5 * float(expected.abs().max()))
