"""A whole step against NumPy: values of all terms in all forms, gradients, and both optimizers' updates."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from facegan.config import TERMS, Config
from facegan.data.reading.batch import Batch
from facegan.nets.vgg import Vgg19
from facegan.training.state import TrainState, new_state
from facegan.training.step import step
from tests.facegan.landmarks.reference_maps import part_maps, point_maps
from tests.facegan.nets.reference_nets import Array, Weights, weights_of
from tests.facegan.training.reference_step import WEIGHTS, Frames, Networks, adam, discriminator_loss, sgd, signed, terms

SIZE = 32
STYLE = 3.0
MODELS: dict[str, dict[str, str | float]] = {
    "points, sparse, colour": {
        "model.maps": "points",
        "model.first_layer": "sparse",
        "model.head": "colour",
        "model.map_sigma": 1.3,
    },
    "points, dense, mask": {"model.maps": "points", "model.first_layer": "dense", "model.head": "mask", "model.map_sigma": 0.9},
    "parts, mask": {"model.maps": "parts", "model.head": "mask", "model.map_sigma": 0.8},
}


def faces(seed: int) -> Batch:
    """Two samples whose five tensors have nothing in common, so that none can be taken for another unseen."""
    rng = np.random.default_rng(seed)
    images = [torch.from_numpy(rng.integers(0, 256, (2, 3, SIZE, SIZE), dtype=np.uint8)) for _ in range(2)]
    points = [torch.from_numpy(rng.uniform(2, SIZE - 3, (2, 68, 2)).astype(np.float32)) for _ in range(3)]
    return Batch(*images, *points)


def frames_of(batch: Batch, config: Config) -> Frames:
    draw: Callable[[Array, int, float], Array] = point_maps if config.model.maps == "points" else part_maps
    points = (batch.source_points, batch.target_points, batch.third_points)
    maps = (draw(p.numpy().astype(np.float64), SIZE, config.model.map_sigma) for p in points)
    return Frames(signed(batch.source.numpy()), signed(batch.target.numpy()), *maps)


def networks_of(state: TrainState) -> Networks:
    vgg = weights_of(state.vgg if state.vgg is not None else Vgg19(4))
    return Networks(weights_of(state.generator), weights_of(state.discriminator), vgg, state.config.model.head)


@pytest.fixture
def in_float64() -> Iterator[None]:
    """Differences of a loss along a direction need more digits than float32 has."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def all_terms(tiny: Config, model: str) -> Config:
    # The discriminator's rate is large, so that terms which read it before its step have another value.
    return tiny.override({"loss.style": STYLE, "optim.discriminator_lr": 0.5, **MODELS[model]})


def test_the_defaults_are_the_posters() -> None:
    loss, optim = Config().loss, Config().optim
    assert loss.weights() == WEIGHTS
    assert (loss.pixel_form, loss.consistency_form) == ("l2", "l1_squared")
    assert (optim.generator_lr, optim.discriminator_lr, optim.batch) == (2e-4, 5e-5, 8)


@pytest.mark.parametrize(
    ("model", "pixel_form", "consistency_form"),
    [
        ("points, sparse, colour", "l2", "l1_squared"),
        ("points, dense, mask", "l1_squared", "l1"),
        ("parts, mask", "l1", "l2"),
    ],
)
def test_the_values_of_a_step_are_the_references(tiny: Config, model: str, pixel_form: str, consistency_form: str) -> None:
    config = all_terms(tiny, model).override({"loss.pixel_form": pixel_form, "loss.consistency_form": consistency_form})
    batch, state = faces(0), new_state(config, torch.device("cpu"))
    before = networks_of(state)
    values = {name: value.item() for name, value in step(state, batch).items()}
    frames = frames_of(batch, config)
    # The discriminator learns first, and judges the generator with its new weights.
    judging = Networks(before.generator, weights_of(state.discriminator), before.vgg, before.head)
    expected = terms(judging, frames, pixel_form, consistency_form)
    assert list(expected) == list(TERMS)
    weighted = {term: {**WEIGHTS, "style": STYLE}[term] * value for term, value in expected.items()}
    loss, accuracy = discriminator_loss(before, frames)
    reference = {
        **{f"loss/{term}": value for term, value in expected.items()},
        **{f"weighted/{term}": value for term, value in weighted.items()},
        "loss/generator": sum(weighted.values()),
        "loss/discriminator": loss,
        "discriminator/accuracy": accuracy,
    }
    assert values == pytest.approx(reference, rel=1e-5)


def directional(loss: Callable[[Weights], float], weights: Weights, direction: Weights) -> float:
    """The derivative of a loss along a direction, by the central difference."""
    small = 1e-8  # larger steps cross kinks of |x| and LeakyReLU, smaller ones lose digits
    ahead, behind = ({name: w + sign * small * direction[name] for name, w in weights.items()} for sign in (1, -1))
    return (loss(ahead) - loss(behind)) / (2 * small)


def along(network: torch.nn.Module, direction: Weights) -> float:
    """The gradient that a step has left in a network, along a direction."""
    found = 0.0
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        found += float((parameter.grad.numpy() * direction[name]).sum())
    return found


def random_direction(weights: Weights) -> dict[str, Array]:
    rng = np.random.default_rng(7)
    return {name: rng.standard_normal(w.shape) for name, w in weights.items()}


@pytest.mark.usefixtures("in_float64")
@pytest.mark.parametrize("term", list(TERMS))
def test_the_gradient_of_each_term_is_the_references(tiny: Config, term: str) -> None:
    """A pass that is cut off by `detach` has the right value and the wrong gradient."""
    alone = {f"loss.{name}": 2.0 if name == term else 0.0 for name in TERMS}
    config = all_terms(tiny, "parts, mask").override(alone)
    batch, state = faces(1), new_state(config, torch.device("cpu"))
    before = networks_of(state)
    step(state, batch)
    frames, judge = frames_of(batch, config), weights_of(state.discriminator)

    def loss(weights: Weights) -> float:
        return 2.0 * terms(Networks(weights, judge, before.vgg, before.head), frames, "l2", "l1_squared")[term]

    direction = random_direction(before.generator)
    assert along(state.generator, direction) == pytest.approx(directional(loss, before.generator, direction), rel=1e-4)


@pytest.mark.usefixtures("in_float64")
def test_the_gradient_of_the_discriminator_is_the_references(tiny: Config) -> None:
    config = all_terms(tiny, "parts, mask")
    batch, state = faces(2), new_state(config, torch.device("cpu"))
    before, frames = networks_of(state), frames_of(batch, config)
    step(state, batch)

    def loss(weights: Weights) -> float:
        return discriminator_loss(Networks(before.generator, weights, before.vgg, before.head), frames)[0]

    direction = random_direction(before.discriminator)
    assert along(state.discriminator, direction) == pytest.approx(directional(loss, before.discriminator, direction), rel=1e-4)


@pytest.mark.usefixtures("in_float64")
def test_three_steps_move_the_weights_as_adam_and_sgd_do(tiny: Config) -> None:
    config = all_terms(tiny, "parts, mask").override({"optim.generator_lr": 0.002, "optim.discriminator_lr": 0.03})
    state = new_state(config, torch.device("cpu"))
    start = networks_of(state)
    gradients: list[tuple[dict[str, Array], dict[str, Array]]] = []
    for seed in range(3):
        step(state, faces(seed))
        gradients.append((gradient_of(state.generator), gradient_of(state.discriminator)))
        now = networks_of(state)
        for name, weight in now.generator.items():
            expected = adam(start.generator[name], [g[name] for g, _ in gradients], 0.002)
            np.testing.assert_allclose(weight, expected, rtol=0, atol=1e-12, err_msg=name)
        for name, weight in now.discriminator.items():
            expected = sgd(start.discriminator[name], [d[name] for _, d in gradients], 0.03)
            np.testing.assert_allclose(weight, expected, rtol=0, atol=1e-12, err_msg=name)


def gradient_of(network: torch.nn.Module) -> dict[str, Array]:
    return {name: value.grad.numpy().copy() for name, value in network.named_parameters() if value.grad is not None}


@pytest.mark.usefixtures("in_float64")
def test_gradients_do_not_pile_up_over_steps(tiny: Config) -> None:
    """With rates of 0 nothing moves, so a second step on the same batch has the gradients of the first."""
    config = all_terms(tiny, "parts, mask").override({"optim.generator_lr": 0.0, "optim.discriminator_lr": 0.0})
    state = new_state(config, torch.device("cpu"))
    found = []
    for _ in range(2):
        step(state, faces(3))
        found.append({"generator": gradient_of(state.generator), "discriminator": gradient_of(state.discriminator)})
    for network in ("generator", "discriminator"):
        first, second = (f[network] for f in found)
        assert first and all(np.array_equal(first[name], second[name]) for name in first)
