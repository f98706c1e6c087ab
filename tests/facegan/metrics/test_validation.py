"""The score that chooses: a copy loses against a generator that follows, however good its identity or its pixels."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.metrics.pairs import of_another_person
from facegan.metrics.validation import Validation, selection_score
from facegan.study.analysis.model_selection import SELECTION
from tests.facegan.metrics.oracle import Oracle, Pictures, evaluators_of, oracle_of


def test_the_score_equals_its_formula_and_does_not_reward_more_than_the_ideal() -> None:
    assert selection_score(1, 1, 0) == 0
    assert selection_score(0, 1, 1) == 2
    assert selection_score(0.4, 0.2, 0.5) == pytest.approx(0.5 + (0.6**2 + 0.8**2) ** 0.5)
    assert selection_score(1, 1.9, 0) == 0 and selection_score(1.5, 1, 0) == pytest.approx(0.5)
    nothing = float("nan")
    assert selection_score(nothing, 0.5, 0.7) == selection_score(0, 0.5, 0.7)


def test_a_copy_loses_against_a_follower_of_lower_identity_and_worse_pixels() -> None:
    """The arms of a study: following, identity kept, face error over the copy's."""
    arms = {"follows": (0.94, 0.55, 1.05), "mostly copies": (0.15, 0.92, 0.89), "copies": (0.0, 1.0, 1.0)}
    scores = {arm: selection_score(*values) for arm, values in arms.items()}
    assert min(scores, key=lambda arm: scores[arm]) == "follows"
    assert scores["copies"] > scores["mostly copies"]
    assert selection_score(0.95, 0.0, 1.4) > scores["follows"], "another person in that pose does not win either"


def validation_of(data: FaceData, config: Config, oracle: Oracle, cache: Path | None = None) -> Validation:
    return Validation(data, config, evaluators_of(oracle), cache)


def test_reference_images_have_their_scores(data: FaceData, tiny: Config, tmp_path: Path) -> None:
    validation = validation_of(data, tiny, oracle_of(data), tmp_path / "frames.npz")
    assert (tmp_path / "frames.npz").exists()
    copied = validation.score(lambda sources, points: sources)[0]
    assert copied["validation/target_following"] == pytest.approx(0) and copied[SELECTION] == pytest.approx(2, abs=0.02)
    assert copied["validation/identity_kept"] == pytest.approx(1, abs=0.1)
    perfect, images = validation.score(lambda sources, points: validation.targets)
    assert perfect["validation/target_following"] == pytest.approx(1) and perfect[SELECTION] == pytest.approx(0)
    assert perfect["validation/identity_kept"] == pytest.approx(1)
    assert perfect["validation/face_error"] == 0 and np.array_equal(images, validation.targets)
    grey = validation.score(lambda sources, points: np.full_like(sources, 128))[0]
    assert grey["validation/target_following"] == grey["validation/identity_kept"] == 0 and grey[SELECTION] > 2**0.5


def test_a_follower_of_moderate_identity_is_chosen_over_a_copy(data: FaceData, tiny: Config) -> None:
    """The follower is the target with coarse grey noise, whose face error is that of a copy; it is found where it should be."""
    oracle = oracle_of(data)
    validation = validation_of(data, tiny, oracle)
    rng = np.random.default_rng(1)
    drawn = np.clip(validation.targets + rng.normal(0, 12, validation.targets.shape), 0, 255).astype(np.uint8)
    for image, target, points in zip(drawn, validation.targets, validation.points, strict=True):
        real = oracle.embed(target[None], points[None])[0]
        oracle.tell(image, points, real + rng.normal(0, 0.6, 4))

    def follower(sources: Pictures, points: NDArray[np.float32]) -> Pictures:
        return drawn

    found, copied = validation.score(follower)[0], validation.score(lambda sources, points: sources)[0]
    assert found["validation/identity_kept"] < copied["validation/identity_kept"]
    assert found[SELECTION] < copied[SELECTION]


def test_the_other_person_of_validation_is_no_test_person(data: FaceData) -> None:
    rows = next(iter(data.clips("validation", 0.1).values()))
    clip = next(iter(data.clips("validation", 0.1)))
    other = of_another_person(data, rows, [clip] * len(rows), "validation")
    assert other is not None
    assert not set(other) & {row for test in data.clips("test", 0.0).values() for row in test}
    assert not set(other) & set(rows)


def test_without_validation_people_the_score_has_another_name(data: FaceData, tiny: Config) -> None:
    validation = validation_of(data, tiny.override({"data.validation_fraction": 0.0}), oracle_of(data))
    assert "test/selection_score" in validation.score(lambda sources, points: sources)[0]
