"""ONNX files of generators draw what PyTorch draws."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from facegan.config import Config
from facegan.live.export import (
    GREY_LEVEL,
    Floats,
    draw,
    draw_in_torch,
    largest_difference,
    with_half_weights,
    write_network,
)
from facegan.live.generator_graph import network_graph
from facegan.nets.generator import Generator, build_generator


def generator_of(config: Config, seed: int) -> Generator:
    torch.manual_seed(seed)
    return build_generator(config.model).requires_grad_(False).eval()


def faces(config: Config) -> tuple[Floats, Floats]:
    """Three random images, and landmarks of which some lie outside."""
    size, rng = config.data.size, np.random.default_rng(0)
    images = rng.uniform(-1, 1, (3, 3, size, size)).astype(np.float32)
    return images, rng.uniform(-3, size + 3, (3, 68, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def config(tiny: Config) -> Config:
    """Wide enough for weights that are stored in half precision."""
    return tiny.override({"model.generator_width": 8, "model.map_sigma": 0.6})


@pytest.fixture(scope="module")
def graph(config: Config) -> onnx.ModelProto:
    return network_graph(generator_of(config, 1), config)


def test_single_precision_draws_what_pytorch_draws(graph: onnx.ModelProto, config: Config) -> None:
    images, points = faces(config)
    expected = draw_in_torch(generator_of(config, 1), config, images, points)
    np.testing.assert_allclose(draw(graph, images, points), expected, atol=1e-4, rtol=0)


def test_two_generators_of_one_configuration_have_two_graphs(graph: onnx.ModelProto, config: Config) -> None:
    images, points = faces(config)
    expected = draw_in_torch(generator_of(config, 2), config, images, points)
    assert largest_difference(draw(graph, images, points), expected) > 10


def test_point_maps_and_the_colour_head_are_exported_too(tiny: Config) -> None:
    """In training, a CPU computes the first layer of point maps from the points alone; the graph draws the 68 maps."""
    config = tiny.override({"model.maps": "points", "model.head": "colour", "model.map_sigma": 0.8})
    generator = generator_of(config, 3)
    images, points = faces(config)
    sparse = generator(torch.from_numpy(images), torch.from_numpy(points)).numpy()
    np.testing.assert_allclose(draw(network_graph(generator, config), images, points), sparse, atol=1e-4, rtol=0)


def test_half_precision_halves_the_file_and_stays_within_a_grey_level(
    graph: onnx.ModelProto, config: Config, tmp_path: Path
) -> None:
    generator = generator_of(config, 1)
    images, points = faces(config)
    expected = draw_in_torch(generator, config, images, points)
    written = write_network(graph, tmp_path / "network.onnx", images, points, expected)
    content = (tmp_path / "network.onnx").read_bytes()
    numbers = sum(parameter.numel() for parameter in generator.parameters())
    assert written.weights == "fp16" and written.bytes == len(content) < 2 * numbers + 40_000 < 4 * numbers
    drawn = draw(onnx.load_from_string(content), images, points)
    assert written.difference == pytest.approx(np.abs(drawn - expected).max() / GREY_LEVEL)
    assert 0 < written.difference < 0.5


def test_weights_that_half_precision_cannot_hold_stay_in_single_precision(config: Config, tmp_path: Path) -> None:
    """The convolution of a norm's input by 1e6 changes nothing, but its weights are beyond half precision."""
    generator = generator_of(config, 1)
    generator.get_parameter("down.1.0.weight").mul_(1e6)
    images, points = faces(config)
    large = network_graph(generator, config)
    assert not np.isfinite(draw(with_half_weights(large), images, points)).all()
    expected = draw_in_torch(generator, config, images, points)
    written = write_network(large, tmp_path / "network.onnx", images, points, expected)
    assert written.weights == "fp32" and written.difference < 0.1
