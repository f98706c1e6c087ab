"""Landmark maps against their definitions in NumPy, float64."""

import itertools

import numpy as np
import pytest
import torch

from facegan.landmarks.maps import draw_parts, draw_points
from tests.facegan.landmarks.reference_maps import LINES, line_integral, part_maps, point_maps

SIZE = 32


def two_faces() -> torch.Tensor:
    """Points inside of the image and a little outside."""
    return torch.from_numpy(np.random.default_rng(0).uniform(-3, SIZE + 2, (2, 68, 2)))


@pytest.mark.parametrize("sigma", [0.6, 1.0, 2.3])
def test_point_maps_are_the_references(sigma: float) -> None:
    points = two_faces()
    expected = point_maps(points.numpy(), SIZE, sigma)
    np.testing.assert_allclose(draw_points(points, SIZE, sigma).numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("sigma", [0.6, 1.0, 2.3])
def test_part_maps_are_the_references(sigma: float) -> None:
    points = two_faces()
    expected = part_maps(points.numpy(), SIZE, sigma)
    np.testing.assert_allclose(draw_parts(points, SIZE, sigma).numpy(), expected, rtol=0, atol=1e-12)


def smooth_face() -> torch.Tensor:
    """[1, 68, 2]: every line an arc whose segments are shorter than a tenth of the image's side."""
    points = np.zeros((1, 68, 2))
    for lines in LINES:
        for line in lines:
            angle = np.linspace(0, 5.0 if len(set(line)) == len(line) else 2 * np.pi, len(line))
            points[0, list(line)] = 31.5 + 0.055 * 64 * len(line) / 6.5 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return torch.from_numpy(points)


def test_part_maps_are_soft_lines() -> None:
    """Far from free ends a channel is 1 - exp(-2 s), s the integral of a Gaussian along its lines: the dots cannot be told."""
    points = smooth_face()
    found = draw_parts(points, 64, 1.0)[0].numpy()
    y, x = np.mgrid[:64, :64]
    for channel, lines in enumerate(LINES):
        total = np.zeros((64, 64))
        for line in lines:
            for i, j in itertools.pairwise(line):
                total += line_integral(points[0, i].numpy(), points[0, j].numpy(), 64, 1.0)
        ends = [points[0, line[k]].numpy() for line in lines if line[0] != line[-1] for k in (0, -1)]
        away = np.all([np.hypot(x - a, y - b) > 4 for a, b in ends], axis=0) if ends else np.ones_like(x, bool)
        assert total[away].max() > 1.5, channel
        np.testing.assert_allclose(found[channel][away], 1 - np.exp(-2 * total[away]), rtol=0, atol=0.02)
