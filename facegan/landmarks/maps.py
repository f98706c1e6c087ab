"""Landmark maps, the images of landmarks that the networks take, drawn on the device of the points."""

import math
from functools import cache

import torch
from torch import Tensor

from facegan.config import ModelConfig
from facegan.landmarks.points import PARTS, POINTS

LEAST_EXPONENT = -40.0
"""Bound of a Gaussian's exponent: it keeps values (4e-18) and their products from being denormal numbers, which are slow."""
_LONGEST_SEGMENT = 0.1
"""Upper bound of the length of a segment between two landmarks, as a share of the image's side."""


def landmark_input(points: Tensor, size: int, model: ModelConfig) -> Tensor:
    """The landmark input of the networks for points [batch, 68, 2] in pixels: maps, or the points for a sparse first layer."""
    sparse = (
        model.maps == "points" and points.device.type == "cpu" if model.first_layer == "auto" else model.first_layer == "sparse"
    )
    return points if sparse else draw_maps(points, size, model)


def draw_maps(points: Tensor, size: int, model: ModelConfig) -> Tensor:
    """Landmark maps [batch, channels, size, size] in [0, 1] of points [batch, 68, 2] in pixels."""
    draw = draw_points if model.maps == "points" else draw_parts
    return draw(points, size, model.map_sigma)


def map_channels(model: ModelConfig) -> int:
    """Number of channels of `draw_maps`."""
    return POINTS if model.maps == "points" else len(PARTS)


def draw_points(points: Tensor, size: int, sigma: float) -> Tensor:
    """[batch, 68, size, size]: exp(-d^2 / (2 sigma^2)) of the distance d to each point, `sigma` in pixels."""
    across, down = _gaussians(points, size, sigma)
    return down.unsqueeze(-1) * across.unsqueeze(-2)


def draw_parts(points: Tensor, size: int, sigma: float) -> Tensor:
    """[batch, 8, size, size]: soft lines of width `sigma` pixels along each facial part, with a maximum close to 1.

    A line is a row of Gaussians. A Gaussian is separable, so their sum over a part is one product of two thin matrices. The
    Gaussians of all parts are computed together: eight times as few operations, which a GPU waits for at small batches.
    1 - exp(-sum) keeps crossing lines within 1.
    """
    of_segments, counts = _segments(points.device)
    start, end = points.index_select(1, of_segments).chunk(2, dim=1)
    span = end - start
    dots = dots_of_segment(size, sigma)
    along = torch.linspace(0, 1 - 1 / dots, dots, device=points.device, dtype=points.dtype)
    centres = torch.addcmul(start.unsqueeze(2), along.view(-1, 1), span.unsqueeze(2))
    # Weighted by the length that a dot stands for, so that long and short segments are equally bright.
    share = span.norm(dim=-1) / (-0.5 * dots * sigma)
    across, down = _gaussians(centres, size, sigma)
    down, across = (down * share[..., None, None]).flatten(1, 2).transpose(1, 2), across.flatten(1, 2)
    of_parts = [dots * count for count in counts]
    lines = zip(down.split(of_parts, dim=2), across.split(of_parts, dim=1), strict=True)
    return 1 - torch.exp(torch.stack([torch.bmm(rows, columns) for rows, columns in lines], dim=1))


def dots_of_segment(size: int, sigma: float) -> int:
    """How many Gaussians stand for a segment: at most one sigma apart, so that the ripple of their sum is below 1 %."""
    return max(3, math.ceil(_LONGEST_SEGMENT * size / sigma))


def segments() -> tuple[list[int], list[int], list[int]]:
    """Indices of the points where the segments of all parts start, and where they end; the number of each part's segments."""
    starts, ends, counts = list[int](), list[int](), list[int]()
    for lines, closed in PARTS.values():
        starts += [i for line in lines for i in (line if closed else line[:-1])]
        ends += [i for line in lines for i in (line[1:] + line[:1] if closed else line[1:])]
        counts.append(len(starts) - sum(counts))
    return starts, ends, counts


@cache
def _segments(device: torch.device) -> tuple[Tensor, list[int]]:
    """Indices of the starts, then of the ends, on the device, since indexing by a list copies it; the numbers of `segments`."""
    starts, ends, counts = segments()
    return torch.tensor(starts + ends, device=device), counts


def _gaussians(points: Tensor, size: int, sigma: float) -> tuple[Tensor, Tensor]:
    """The factors of the Gaussians of points [..., 2] along x and along y, [..., size] each."""
    grid = torch.arange(size, device=points.device, dtype=points.dtype)
    # In place, because these are the largest tensors here.
    profile = (points.unsqueeze(-1) - grid).square_().mul_(-0.5 / sigma**2).clamp_(min=LEAST_EXPONENT).exp_()
    return profile.select(-2, 0), profile.select(-2, 1)
