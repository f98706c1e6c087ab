"""Probes of cheating, on generators that are honest, that copy, and that hide the source in a faint pattern."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.metrics.evaluation_config import Sampling
from facegan.metrics.evaluation_set import EvaluationSet, prepare_evaluation_set
from facegan.metrics.probes import LEAST_ERROR, NOISE, first_of_each, probe_generator, rounded, through_jpeg, with_noise
from facegan.metrics.table import PROBES
from tests.facegan.metrics.oracle import evaluators_of, oracle_of


@pytest.fixture(scope="module")
def evaluation_set(data: FaceData) -> EvaluationSet:
    return prepare_evaluation_set(data, evaluators_of(oracle_of(data)), None, Sampling(pairs_per_clip=2, sequence_frames=0))


class Copier(nn.Module):
    """Returns its input."""

    def forward(self, image: Tensor, landmarks: Tensor) -> Tensor:
        return image


class Honest(nn.Module):
    """Draws what the landmarks say and the mean colour of its input, so that the way back is the same from every start."""

    def forward(self, image: Tensor, landmarks: Tensor) -> Tensor:
        colour = image.mean(dim=(2, 3), keepdim=True)
        return (colour + 0.2 * landmarks.mean(dim=1, keepdim=True)).clamp(-1, 1).expand_as(image)


class Hider(nn.Module):
    """Keeps a thousandth of the source beneath a grey image, and enlarges it on the way back."""

    def forward(self, image: Tensor, landmarks: Tensor) -> Tensor:
        if float(image.std()) < 0.01:
            return (1000 * image).clamp(-1, 1)
        return image / 1000


def probed(network: Any, evaluation_set: EvaluationSet, tiny: Config) -> dict[str, float]:
    scores = probe_generator(network, tiny, torch.device("cpu"), evaluation_set)
    assert set(scores) == set(PROBES)
    chosen = first_of_each(evaluation_set.pairs.clip)
    for values in scores.values():
        assert np.isfinite(values[chosen]).all() and np.isfinite(values).sum() == len(chosen) == 2
    return {name: float(np.nanmean(values)) for name, values in scores.items()}


def test_the_way_back_of_a_copier_works_on_its_copy_alone(evaluation_set: EvaluationSet, tiny: Config) -> None:
    found = probed(Copier(), evaluation_set, tiny)
    chosen = first_of_each(evaluation_set.pairs.clip)
    difference = np.abs(evaluation_set.targets[chosen].astype(float) - evaluation_set.sources[chosen]).mean(axis=(1, 2, 3))
    assert found["consistency_ratio"] == pytest.approx((difference / LEAST_ERROR).mean(), rel=1e-4)
    assert found["after_rounding"] == pytest.approx(1), "its copy has 8 bits already"


def test_an_honest_generator_passes_every_probe(evaluation_set: EvaluationSet, tiny: Config) -> None:
    found = probed(Honest(), evaluation_set, tiny)
    assert found["consistency_ratio"] == pytest.approx(1, abs=0.3)
    for probe in PROBES[1:]:
        assert found[probe] == pytest.approx(1, abs=0.05)


def test_a_generator_that_hides_the_source_fails_after_every_change(evaluation_set: EvaluationSet, tiny: Config) -> None:
    found = probed(Hider(), evaluation_set, tiny)
    assert min(found[probe] for probe in PROBES[1:]) > 5


def test_changes_of_an_image_are_small_and_repeat() -> None:
    image = torch.linspace(-0.9, 0.9, 3 * 32 * 32).view(1, 3, 32, 32)
    noisy = with_noise(image, np.array([7]))
    assert float((noisy - image).std()) * 127.5 == pytest.approx(NOISE, rel=0.05)
    assert torch.equal(noisy, with_noise(image, np.array([7]))) and not torch.equal(noisy, with_noise(image, np.array([8])))
    assert float((rounded(image) - image).abs().max()) * 127.5 <= 0.5001
    flat = torch.zeros(1, 3, 32, 32)
    flat[:, 0] = 0.5
    assert float((through_jpeg(flat) - flat).abs().max()) * 127.5 < 4, "red stays red"
    assert float((through_jpeg(image) - image).abs().mean()) * 127.5 < 6
