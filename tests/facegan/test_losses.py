"""Each term against a value computed by hand."""

import math

import pytest
import torch

from facegan import losses

A = torch.tensor([0.0, 2.0]).view(2, 1, 1, 1).expand(2, 3, 2, 2)
B = torch.zeros(2, 3, 2, 2)


@pytest.mark.parametrize(("form", "value"), [("l1", 1.0), ("l2", 2.0), ("l1_squared", 2.0)])
def test_distance_of_constant_images(form: losses.Distance, value: float) -> None:
    assert losses.distance(A, B, form).item() == pytest.approx(value)


def test_l1_squared_squares_each_samples_mean_not_each_pixel() -> None:
    a = torch.zeros(2, 1, 1, 2)
    a[0, 0, 0, 0] = 2.0  # mean 1, squared 1; the mean of squares would be 2
    a[1, 0, 0, :] = 3.0  # mean 3, squared 9
    assert losses.distance(a, torch.zeros_like(a), "l1_squared").item() == pytest.approx((1 + 9) / 2)
    assert losses.distance(a, torch.zeros_like(a), "l2").item() == pytest.approx((2 + 9) / 2)


def test_adversarial_is_cross_entropy_per_patch() -> None:
    logits = torch.tensor([[0.0, 2.0]])
    by_hand = (-math.log(0.5) - math.log(1 / (1 + math.exp(-2)))) / 2
    assert losses.adversarial(logits).item() == pytest.approx(by_hand)


def test_discriminator_wants_real_high_and_fake_low() -> None:
    real, fake = torch.tensor([3.0]), torch.tensor([-3.0])
    by_hand = -math.log(1 / (1 + math.exp(-3)))
    loss, accuracy = losses.discriminator(real, fake)
    assert loss.item() == pytest.approx(by_hand) and accuracy.item() == 1
    loss, accuracy = losses.discriminator(fake, real)
    assert loss.item() > 3 and accuracy.item() == 0
    assert losses.discriminator(real, real)[1].item() == 0.5


def test_feature_l1_sums_layers_and_means_within() -> None:
    generated = {3: torch.full((2, 1, 1, 2), 1.0), 8: torch.full((2, 4, 1, 1), 5.0)}
    target = {3: torch.zeros(2, 1, 1, 2), 8: torch.full((2, 4, 1, 1), 3.0)}
    assert losses.feature_l1(generated, target, (3, 8)).item() == pytest.approx(3.0)


def test_identity_does_not_grow_with_the_batch() -> None:
    one = {13: torch.rand(1, 4, 3, 3)}
    many = {13: one[13].repeat(9, 1, 1, 1)}
    zeros = {k: {13: torch.zeros_like(v[13])} for k, v in (("one", one), ("many", many))}
    small = losses.feature_l1(one, zeros["one"], (13,))
    assert losses.feature_l1(many, zeros["many"], (13,)).item() == pytest.approx(small.item(), rel=1e-6)


def test_gram_of_two_channels_by_hand() -> None:
    features = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).view(1, 2, 1, 2)
    expected = torch.tensor([[5.0, 11.0], [11.0, 25.0]]) / (2 * 1 * 2)
    assert torch.allclose(losses.gram(features)[0], expected)


def test_style_keeps_samples_apart() -> None:
    a, b = torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4)
    both, target = {3: torch.cat([a, b])}, {3: torch.zeros(2, 3, 4, 4)}
    singles = [losses.style({3: x}, {3: torch.zeros(1, 3, 4, 4)}, (3,)) for x in (a, b)]
    assert losses.style(both, target, (3,)).item() == pytest.approx(sum(s.item() for s in singles) / 2, rel=1e-5)


@pytest.mark.parametrize("layers", [(3,), (3, 8)])
def test_terms_of_bfloat16_activations_are_summed_in_float32(layers: tuple[int, ...]) -> None:
    """In bfloat16 a mean keeps two or three digits, so the values of a term would come in steps."""
    torch.manual_seed(0)
    generated, target = ({k: torch.rand(2, 4, 16, 16).bfloat16() for k in (3, 8)} for _ in range(2))
    exact, wanted = ({k: v.float() for k, v in features.items()} for features in (generated, target))
    assert torch.equal(losses.feature_l1(generated, target, layers), losses.feature_l1(exact, wanted, layers))
    assert torch.equal(losses.style(generated, target, layers), losses.style(exact, wanted, layers))
    real, fake = generated[3][:, :1], target[3][:, :1]
    assert torch.equal(losses.adversarial(fake), losses.adversarial(fake.float()))
    assert torch.equal(losses.discriminator(real, fake)[0], losses.discriminator(real.float(), fake.float())[0])
