"""Scores on images whose scores are known."""

import numpy as np
import pytest
from facegan.metrics.landmarks import landmark_auc, landmark_failure

from facegan.config import Config
from facegan.data.triplets import FaceData
from facegan.metrics.card import METRICS, Truth, prepare_truth, reference_scores, score_images, summarise
from facegan.metrics.image import face_error, face_masks, psnr, ssim
from facegan.metrics.pairs import choose_pairs, images_of


def flat(value: int, n: int = 2) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((n, 16, 16, 3), value, np.uint8)


def test_psnr_by_hand() -> None:
    assert psnr(flat(100), flat(110))[0] == pytest.approx(10 * np.log10(255**2 / 100))
    assert np.isfinite(psnr(flat(7), flat(7))).all()


def test_ssim_of_equal_and_of_constant_images() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    assert ssim(noise, noise) == pytest.approx(1)
    a, b, c1 = 100.0, 150.0, (0.01 * 255) ** 2
    assert ssim(flat(100), flat(150)) == pytest.approx((2 * a * b + c1) / (a * a + b * b + c1), rel=1e-6)


def test_face_error_counts_only_the_face() -> None:
    points = np.zeros((1, 68, 2), np.float32)
    points[0, :4] = [[4, 4], [4, 11], [11, 4], [11, 11]]
    points[0, 4:] = 8
    masks = face_masks(points, 16)
    assert masks.sum() == 8 * 8
    image = flat(50, 1)
    outside = image.copy()
    outside[0, :3] = 255
    assert face_error(outside, image, masks)[0] == 0
    inside = image.copy()
    inside[0, 4:12, 4:8] = 60
    assert face_error(inside, image, masks)[0] == pytest.approx(5)


def test_float_images_are_refused() -> None:
    with pytest.raises(AssertionError):
        psnr(flat(1).astype(np.float32) / 255, flat(1))  # type: ignore[arg-type]


def test_pairs_are_of_held_out_people_and_always_the_same(data: FaceData, tiny: Config) -> None:
    pairs = choose_pairs(data, "test", tiny, 3)
    again = choose_pairs(data, "test", tiny.override({"seed": 9, "loss.pixel": 0.0}), 3)
    assert np.array_equal(pairs.source, again.source)
    held_out = data.clips("test", 0.0)
    assert all({a, b} <= set(held_out[c]) and a != b for a, b, c in zip(pairs.source, pairs.target, pairs.clip, strict=True))


@pytest.fixture(scope="module")
def truth(data: FaceData, tiny: Config, tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return prepare_truth(data, tiny, tmp_path_factory.mktemp("truth") / "truth.npy")


def test_reference_rows_are_the_ceiling_and_the_floor(truth: Truth) -> None:
    rows = {name: summarise(scores, truth.pairs.clip) for name, scores in reference_scores(truth).items()}
    means = {name: {metric: card[metric]["mean"] for metric in METRICS} for name, card in rows.items()}
    real, copied, other = (means[name] for name in ("real target", "source copied", "another person"))
    assert real["ssim"] == pytest.approx(1)
    assert real["identity_to_target"] == pytest.approx(1)
    assert real["face_error"] == real["source_likeness"] == 0
    assert copied["source_likeness"] == 1
    assert copied["identity_to_source"] == pytest.approx(1)
    assert copied["face_error"] > 0
    assert other["identity_to_target"] < copied["identity_to_target"]


def test_scoring_the_targets_gives_the_ceiling(data: FaceData, truth: Truth) -> None:
    scores = score_images(images_of(data, truth.pairs.target), truth)
    assert set(scores) == set(METRICS)
    assert scores["face_error"].max() == 0
    assert scores["identity_to_target"] == pytest.approx(1)


def test_kept_embeddings_are_used_again(
    data: FaceData, tiny: Config, truth: Truth, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = tmp_path_factory.mktemp("again") / "truth.npy"
    np.save(cache, np.stack([truth.source_embeddings * 0 + 3, truth.target_embeddings]))
    assert (prepare_truth(data, tiny, cache).source_embeddings == 3).all()


def test_an_image_without_a_face_counts_as_failed() -> None:
    errors = np.array([0.0, 0.04, 0.08, 0.2, np.nan])
    assert landmark_auc(errors) == pytest.approx([1, 0.5, 0, 0, 0])
    assert landmark_failure(errors).tolist() == [0, 0, 0, 1, 1]
    # Against the curve itself, integrated.
    grid = np.linspace(0, 0.08, 100_001)
    curve = np.mean([grid >= error for error in errors], axis=0)
    assert landmark_auc(errors).mean() == pytest.approx(np.trapezoid(curve, grid) / 0.08, abs=1e-4)


def test_black_images_show_no_face(truth: Truth) -> None:
    black = score_images(np.zeros_like(truth.targets), truth)
    assert black["faces_found"].max() == black["landmark_auc"].max() == 0
    assert black["landmark_failure"].min() == 1


def test_means_go_over_clips_not_frames() -> None:
    scores = {"ssim": np.array([1.0, 1.0, 1.0, 0.0]), "landmark_error": np.array([np.nan, np.nan, np.nan, 0.2])}
    card = summarise(scores, ["a", "a", "a", "b"])
    assert card["ssim"]["mean"] == pytest.approx(0.5)
    assert card["ssim"]["interval"] == [0.0, 1.0]
    assert card["landmark_error"]["mean"] == pytest.approx(0.2)
    assert card["landmark_error"]["clips"] == {"a": None, "b": pytest.approx(0.2)}


def test_nothing_measured_is_none_not_zero() -> None:
    card = summarise({"landmark_error": np.array([np.nan, np.nan])}, ["a", "b"])
    assert card["landmark_error"]["mean"] is None
    assert card["landmark_error"]["interval"] == [None, None]
