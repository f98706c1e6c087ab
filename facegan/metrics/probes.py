"""Probes of cheating: does the generator hide in its image what leads back to the source?

A consistency term asks that the way back G(F, s), with s the source's landmarks, returns the source S. A network can satisfy it
without keeping the person: it copies, or it hides the source in faint patterns (Chu et al. 2017, CycleGAN, a Master of
Steganography). Two signs of it:

- the way back works on the network's own image F and not on the real target T, which shows the same;
- the way back fails after a change of F that no eye sees: noise, JPEG, rounding to 8 bits.
"""

from collections.abc import Callable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facegan.config import Config
from facegan.data.reading.batch import to_signed
from facegan.landmarks.maps import landmark_input
from facegan.metrics.card import Scores
from facegan.metrics.evaluation_set import EvaluationSet
from facegan.metrics.table import PROBES
from facegan.nets.generator import Generator

NOISE = 2.0
"""Standard deviation of the noise, grey levels of 255."""
JPEG_QUALITY = 90
LEAST_ERROR = 0.5
"""Grey levels: smaller errors of the way back count as this much, since images have steps of 1."""
_BATCH = 32
_HALF_RANGE = 127.5
"""Grey levels in 1 of the networks' scale, [-1, 1]."""

Draw = Callable[[Tensor, NDArray[np.float32]], Tensor]
"""From images [n, 3, size, size] in [-1, 1] and landmarks [n, 68, 2] in pixels to generated images of the same shape."""


def probe_generator(generator: Generator, config: Config, device: torch.device, evaluation_set: EvaluationSet) -> Scores:
    """[n] values per pair of each of `PROBES`, on the first pair of each clip and NaN on the others.

    Each is a ratio of mean absolute errors of the way back, |G(x, s) - S|: of `consistency_ratio` from the real target over
    from F, of the others from the changed F over from F.
    """
    chosen = first_of_each(evaluation_set.pairs.clip)
    pieces = [
        ways_back(_drawer(generator, config, device), evaluation_set, chosen[start : start + _BATCH], device)
        for start in range(0, len(chosen), _BATCH)
    ]
    errors = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    scores = {}
    for probe, start in zip(PROBES, ("target", "noise", "jpeg", "rounding"), strict=True):
        scores[probe] = np.full(len(evaluation_set.pairs), np.nan)
        scores[probe][chosen] = errors[start] / errors["own image"]
    return scores


def first_of_each(clips: list[str]) -> NDArray[np.int64]:
    """Positions of the first pair of each clip."""
    return np.array([clips.index(clip) for clip in dict.fromkeys(clips)], np.int64)


@torch.no_grad()
def ways_back(
    draw: Draw, evaluation_set: EvaluationSet, chosen: NDArray[np.int64], device: torch.device
) -> dict[str, NDArray[np.float64]]:
    """[m] errors of the way back of some pairs, grey levels, by what it starts from; at least `LEAST_ERROR`."""
    real = evaluation_set
    sources, targets = (_signed(images[chosen], device) for images in (real.sources, real.targets))
    image = draw(sources, real.target_points[chosen])
    starts = {
        "own image": image,
        "target": targets,
        "noise": with_noise(image, real.pairs.source[chosen]),
        "jpeg": through_jpeg(image),
        "rounding": rounded(image),
    }
    errors = {}
    for name, start in starts.items():
        back = draw(start, real.source_points[chosen])
        error = (back - sources).abs().mean(dim=(1, 2, 3)) * _HALF_RANGE
        errors[name] = np.maximum(error.cpu().double().numpy(), LEAST_ERROR)
    return errors


def with_noise(images: Tensor, seeds: NDArray[np.int64]) -> Tensor:
    """Images [n, 3, size, size] in [-1, 1] with Gaussian noise of `NOISE` grey levels, kept in the range; one seed an image."""
    noise = [np.random.default_rng([68, seed]).normal(0, NOISE / _HALF_RANGE, images.shape[1:]) for seed in seeds]
    return (images + torch.from_numpy(np.array(noise)).to(images)).clamp(-1, 1)


def through_jpeg(images: Tensor) -> Tensor:
    """Images [n, 3, size, size] in [-1, 1] after they were stored as JPEGs."""
    stored = []
    for image in _grey_levels(images).permute(0, 2, 3, 1).cpu().numpy():
        _, content = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        stored.append(np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR))[:, :, ::-1])
    return _signed(np.array(stored, np.uint8), images.device).to(images.dtype)


def rounded(images: Tensor) -> Tensor:
    """Images [n, 3, size, size] in [-1, 1] after they were rounded to 8 bits."""
    return to_signed(_grey_levels(images)).to(images.dtype)


def _grey_levels(images: Tensor) -> Tensor:
    return ((images + 1) * _HALF_RANGE).round().clamp(0, 255).to(torch.uint8)


def _signed(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """[n, 3, size, size] in [-1, 1] of images [n, size, size, 3] of 8 bits."""
    return to_signed(torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2))


def _drawer(generator: Generator, config: Config, device: torch.device) -> Draw:
    def draw(images: Tensor, points: NDArray[np.float32]) -> Tensor:
        landmarks = torch.from_numpy(points).to(device)
        drawn: Tensor = generator(images, landmark_input(landmarks, config.data.size, config.model))
        return drawn.float()

    return draw
