"""The plane: its anchors, its ratios, what is not measured, and images without merit, which must not score well on both."""

import cv2
import numpy as np
import pytest

from facegan.data.reading.face_data import FaceData
from facegan.metrics.evaluation_config import EvaluatorsConfig, Sampling
from facegan.metrics.evaluation_set import EvaluationSet, GeneratedImages, prepare_evaluation_set
from facegan.metrics.evaluators import build_evaluators
from facegan.metrics.measure import measure, measure_references
from facegan.metrics.plane import identity_kept, pixel_following, ratio_within, target_following
from tests.facegan.metrics.oracle import Pictures, evaluators_of, oracle_of

NO_SEQUENCES = Sampling(pairs_per_clip=3, large_pose_pairs=1, sequence_frames=0)


def faces(*shifts: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """The same face moved to the right by some pixels; its outer eye corners are 10 pixels apart."""
    points = np.random.default_rng(3).normal(size=(68, 2)).astype(np.float32)
    points[36], points[45] = (0, 0), (10, 0)
    return np.stack([points + np.array([shift, 0], np.float32) for shift in shifts])


def test_following_is_the_ratio_of_sums_of_a_clip() -> None:
    """A pair that barely moves counts as little as it moves; alone it would have a following of -5."""
    source, target, found = faces(0, 0), faces(4, 0.1), faces(2, -0.5)
    values = target_following(found, source, target, ["a", "a"])
    assert values.mean() == pytest.approx((2 * 4 - 0.5 * 0.1) / (4**2 + 0.1**2), rel=1e-4)
    assert target_following(found, source, target, ["a", "b"])[0] == pytest.approx(0.5, rel=1e-4)


def test_following_of_anchors_overshoot_and_motion_elsewhere() -> None:
    source, target = faces(0, 0, 0, 0), faces(4, 4, 4, 4)
    found = faces(0, 4, 6, 0)
    found[3, :, 1] += 3
    assert target_following(found, source, target, list("abcd")) == pytest.approx([0, 1, 1.5, 0], abs=1e-5)


def test_an_image_without_a_face_does_not_follow_and_does_not_keep_the_person() -> None:
    source, target = faces(0, 0), faces(4, 4)
    found = target.copy()
    found[0] = np.nan
    assert target_following(found, source, target, ["a", "a"]) == pytest.approx([0, 1], abs=1e-6)
    one, two = np.array([[1.0, 0.1]] * 2), np.array([[1.0, 0]] * 2)
    image = two.copy()
    image[0] = np.nan
    values = identity_kept(image, two, one, np.array([[0, 1.0]] * 2), ["a", "a"])
    assert values[0] == 0 and values[1] > 0.99


def test_pairs_whose_real_frames_show_no_face_are_not_measured() -> None:
    source, target = faces(0, 0, 0), faces(4, 4, 4)
    source[0], target[1] = np.nan, np.nan
    values = target_following(faces(2, 2, 2), source, target, ["a"] * 3)
    assert np.isnan(values[:2]).all() and values[2] == pytest.approx(0.5, rel=1e-5)


def test_still_clips_and_people_who_look_alike_are_not_measured() -> None:
    still = target_following(faces(1), faces(0), faces(0.19), ["a"])
    assert np.isnan(still).all(), "0.019 eye distances"
    assert np.isfinite(target_following(faces(1), faces(0), faces(0.21), ["a"])).all()
    person = np.array([[1.0, 0.0]])
    alike = identity_kept(person, person, np.array([[1.0, 0.1]]), np.array([[1.0, 0.1]]), ["a"])
    assert np.isnan(alike).all()


def test_identity_is_anchored_by_another_person_and_the_real_target() -> None:
    rng = np.random.default_rng(1)
    target = rng.normal(size=(6, 8))
    third, other = target + rng.normal(0, 0.3, (6, 8)), target + rng.normal(0, 2, (6, 8))
    clips = list("aaabbb")
    for images, wanted in ((target, 1), (other, 0)):
        values = identity_kept(images, target, third, other, clips)
        assert [values[:3].mean(), values[3:].mean()] == pytest.approx([wanted, wanted])
    image = target + rng.normal(0, 0.5, (6, 8))
    found = identity_kept(image, target, third, other, clips)

    def to_third(x: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[float]:
        return [float(np.dot(x[i], third[i]) / np.linalg.norm(x[i]) / np.linalg.norm(third[i])) for i in range(3)]

    by_hand = (to_third(image)[0] - to_third(other)[0]) / (np.mean(to_third(target)) - np.mean(to_third(other)))
    assert found[0] == pytest.approx(by_hand)


def test_following_in_pixels_equals_its_formula() -> None:
    rng = np.random.default_rng(2)
    source, target = (rng.integers(60, 200, (1, 8, 8, 3)).astype(np.uint8) for _ in range(2))
    mask = np.zeros((1, 8, 8), bool)
    mask[0, 2:6, 1:7] = True
    half = ((source.astype(float) + target) / 2).astype(np.uint8)
    half[0, 0] = 255
    x, rest = pixel_following(half, source, target, mask)
    assert x[0] == pytest.approx(0.5, abs=0.01) and rest[0] < 0.02, "what is outside of the face does not count"
    noise = rng.integers(0, 256, source.shape).astype(np.uint8)
    a, b = (v[mask].astype(float).ravel() for v in (noise, target))
    s = source[mask].astype(float).ravel()
    by_hand = (a - s) @ (b - s) / ((b - s) @ (b - s))
    x, rest = pixel_following(noise, source, target, mask)
    assert x[0] == pytest.approx(by_hand)
    assert rest[0] == pytest.approx(np.linalg.norm(a - s - by_hand * (b - s)) / np.linalg.norm(b - s))
    assert np.isnan(pixel_following(noise, source, source, mask)[0]).all()


def test_a_ratio_leaves_out_unknown_pairs_and_weak_groups() -> None:
    values = ratio_within(np.array([1.0, 2, 3, 4]), np.array([1.0, np.nan, 3, 0.01]), ["a", "a", "a", "b"], least=0.1)
    assert values[[0, 2]] == pytest.approx([0.5, 1.5]) and np.isnan(values[[1, 3]]).all()


def test_reference_rows_are_the_corners_of_the_plane_on_every_clip(data: FaceData) -> None:
    evaluators = evaluators_of(oracle_of(data))
    evaluation_set = prepare_evaluation_set(data, evaluators, None, NO_SEQUENCES)
    rows = measure_references(data, evaluation_set, evaluators)
    groups = np.array(evaluation_set.pairs.groups())
    assert set(groups) == {"5001/random", "5001/large", "5002/random", "5002/large"}
    for group in set(groups):
        following, identity = (
            {name: row[metric][groups == group].mean() for name, row in rows.items()}
            for metric in ("target_following", "identity_kept")
        )
        assert following["source copied"] == pytest.approx(0) and following["real target"] == pytest.approx(1)
        assert identity["real target"] == pytest.approx(1) and identity["another person"] == pytest.approx(0)
    assert rows["real target"]["pixel_following"] == pytest.approx(1) and rows["source copied"]["off_axis"] == pytest.approx(0)
    assert (rows["real target"]["following_measured"] == 1).all()


def test_without_another_person_identity_kept_is_not_measured(data: FaceData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "_people", dict.fromkeys(data._people, "one"))
    evaluators = evaluators_of(oracle_of(data))
    evaluation_set = prepare_evaluation_set(data, evaluators, None, NO_SEQUENCES)
    rows = measure_references(data, evaluation_set, evaluators)
    assert "another person" not in rows and "identity_kept" not in rows["source copied"]


@pytest.fixture(scope="module")
def real(found_faces: FaceData) -> EvaluationSet:
    return prepare_evaluation_set(found_faces, build_evaluators(EvaluatorsConfig()), None, NO_SEQUENCES)


def trivial_images(evaluation_set: EvaluationSet) -> dict[str, Pictures]:
    sources, rng = evaluation_set.sources, np.random.default_rng(0)
    return {
        "grey": np.full_like(sources, 128),
        "noise": rng.integers(0, 256, sources.shape).astype(np.uint8),
        "copy": sources,
        "blurred copy": np.stack([cv2.GaussianBlur(image, (0, 0), 1) for image in sources]),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["grey", "noise", "copy", "blurred copy"])
def test_a_trivial_image_does_not_score_well_on_both(name: str, real: EvaluationSet) -> None:
    images = trivial_images(real)[name]
    empty = [images[:0] for _ in real.sequences]  # as long as the sequences, which have no frames
    scores = measure(GeneratedImages(images, empty), real, build_evaluators(EvaluatorsConfig()))
    following, identity = (float(np.nanmean(scores[metric])) for metric in ("target_following", "identity_kept"))
    assert min(following, identity) < 0.25, (following, identity)
    if name in ("grey", "noise"):
        assert following == identity == 0 and np.isnan(scores["identity_to_target"]).all()
