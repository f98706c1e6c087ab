"""Copies of weights in bfloat16 against torch.autocast, which casts each weight by itself."""

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from facegan.nets.weight_copies import WithWeights, bf16_copies


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 6, 3, padding=1), nn.LeakyReLU(), nn.Conv2d(6, 3, 3, padding=1)]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def gradients(network: nn.Module) -> list[Tensor]:
    found = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    network.zero_grad()
    return found


def test_two_passes_have_the_values_and_gradients_of_autocast(network: nn.Module) -> None:
    image = torch.randn(2, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        first = network(image)
    with torch.autocast("cpu", torch.bfloat16):
        second = network(first)
    (second.float().square().mean() + first.float().abs().mean()).backward()
    expected = gradients(network)

    once, again = bf16_copies(network, passes=2)
    ours = WithWeights(network)
    found_first = ours(once, image.bfloat16())
    found_second = ours(again, found_first)
    (found_second.float().square().mean() + found_first.float().abs().mean()).backward()
    assert torch.equal(found_first, first) and torch.equal(found_second, second)
    found = gradients(network)
    assert len(found) == 4 and all(map(torch.equal, found, expected))
    assert all(g.dtype == torch.float32 and g.stride() == p.stride() for g, p in zip(found, network.parameters(), strict=True))


def test_gradients_of_two_passes_are_added_in_float32(network: nn.Module) -> None:
    """The sum in bfloat16 has 8 bits: 1 and 1/512 make 1."""
    once, again = bf16_copies(network, passes=2)
    assert once is not None and again is not None
    (once["0.bias"].sum() + again["0.bias"].sum() / 512).backward()
    (bias,) = gradients(network)[1:2]
    assert torch.equal(bias, torch.full((6,), 1 + 1 / 512))


def test_a_pass_that_is_not_read_adds_nothing(network: nn.Module) -> None:
    once, _ = bf16_copies(network, passes=2)
    image = torch.randn(2, 3, 8, 8)
    WithWeights(network)(once, image.bfloat16()).float().sum().backward()
    (alone,) = bf16_copies(network, passes=1)
    expected = gradients(network)
    assert alone is not None
    functional_call(network, alone, image.bfloat16()).float().sum().backward()
    assert all(map(torch.equal, gradients(network), expected))


def test_frozen_weights_have_copies_without_gradient(network: nn.Module) -> None:
    network.requires_grad_(False)
    (copies,) = bf16_copies(network, passes=1)
    assert copies is not None and not any(copy.requires_grad for copy in copies.values())


def test_without_weights_the_networks_own_are_used(network: nn.Module) -> None:
    image = torch.randn(2, 3, 8, 8)
    assert torch.equal(WithWeights(network)(None, image), network(image))
