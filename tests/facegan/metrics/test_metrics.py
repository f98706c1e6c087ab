"""Metrics on images whose scores are known, the choice of frames, and cards."""

from typing import Any

import numpy as np
import pytest
import torch

from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.inference import to_bytes
from facegan.landmarks.points import EYE_CORNERS
from facegan.metrics.card import GENERATED, LARGE_POSE, TARGETS, Card, MetricSummary, summarise, with_kid
from facegan.metrics.discrimination import discrimination, equal_error, roc_area, sentence
from facegan.metrics.evaluation import make_card
from facegan.metrics.evaluation_config import EvaluatorsConfig, Sampling
from facegan.metrics.evaluation_set import EvaluationSet, GeneratedImages, prepare_evaluation_set
from facegan.metrics.evaluators import Evaluators, build_evaluators
from facegan.metrics.image_quality import face_error, face_masks, psnr, ssim
from facegan.metrics.kid import kid, kid_pseudo_values
from facegan.metrics.landmark_scores import area_under_curve, failed, identity_jitter, landmark_jitter, normalised_error
from facegan.metrics.measure import measure, measure_references
from facegan.metrics.pairs import Pairs, choose_pairs, choose_sequences, images_of, of_another_person
from facegan.metrics.table import METRICS, PROBES
from tests.known import known

SMALL = Sampling(pairs_per_clip=2, sequence_frames=2)


def flat(value: int, n: int = 2) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((n, 16, 16, 3), value, np.uint8)


def test_psnr_equals_its_formula_and_is_finite_for_equal_images() -> None:
    assert psnr(flat(100), flat(110))[0] == pytest.approx(10 * np.log10(255**2 / 100))
    assert np.isfinite(psnr(flat(7), flat(7))).all()


def test_ssim_of_equal_and_of_constant_images() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    assert ssim(noise, noise) == pytest.approx(1)
    a, b, c1 = 100.0, 150.0, (0.01 * 255) ** 2
    assert ssim(flat(100), flat(150)) == pytest.approx((2 * a * b + c1) / (a * a + b * b + c1), rel=1e-6)


def ssim_by_hand(a: Any, b: Any) -> float:
    """Equation 13 of Wang et al. 2004 in every window of 11 x 11 pixels inside of an image, averaged as scikit-image does."""
    across = np.exp(-np.square(np.arange(11) - 5) / (2 * 1.5**2))
    window = np.outer(across, across) / across.sum() ** 2
    c1, c2, values = (0.01 * 255) ** 2, (0.03 * 255) ** 2, []
    for channel in range(3):
        for top in range(a.shape[0] - 10):
            for left in range(a.shape[1] - 10):
                x, y = (v[top : top + 11, left : left + 11, channel].astype(np.float64) for v in (a, b))
                mx, my = (window * x).sum(), (window * y).sum()
                vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
                both = (window * (x - mx) * (y - my)).sum()
                values.append((2 * mx * my + c1) * (2 * both + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    return float(np.mean(values))


def test_ssim_equals_its_formula_over_the_windows_inside_of_the_image() -> None:
    rng = np.random.default_rng(7)
    a = rng.integers(0, 256, (2, 16, 18, 3), dtype=np.uint8)
    b = np.clip(a.astype(int) + rng.integers(-60, 60, a.shape), 0, 255).astype(np.uint8)
    b[:, :4] = 0
    assert ssim(a, b) == pytest.approx([ssim_by_hand(x, y) for x, y in zip(a, b, strict=True)], abs=1e-9)


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


def test_pairs_are_of_test_people_and_do_not_depend_on_the_configuration(data: FaceData, tiny: Config) -> None:
    pairs = choose_pairs(data, "test", tiny, 3)
    again = choose_pairs(data, "test", tiny.override({"seed": 9, "loss.pixel": 0.0}), 3)
    assert np.array_equal(pairs.source, again.source)
    held_out = data.clips("test", 0.0)
    assert all({a, b} <= set(held_out[c]) and a != b for a, b, c in zip(pairs.source, pairs.target, pairs.clip, strict=True))


@pytest.fixture(scope="module")
def evaluators() -> Evaluators:
    return build_evaluators(EvaluatorsConfig())


@pytest.fixture(scope="module")
def evaluation_set(found_faces: FaceData, evaluators: Evaluators) -> EvaluationSet:
    return prepare_evaluation_set(found_faces, evaluators, None, SMALL)


@pytest.fixture(scope="module")
def references(found_faces: FaceData, evaluation_set: EvaluationSet, evaluators: Evaluators) -> dict[str, Card]:
    rows = measure_references(found_faces, evaluation_set, evaluators)
    return {name: make_card(measured, evaluation_set.pairs.clip, found_faces, evaluators) for name, measured in rows.items()}


def perfect(found_faces: FaceData, evaluation_set: EvaluationSet) -> GeneratedImages:
    """The images of a generator that copies the target."""
    return GeneratedImages(
        evaluation_set.targets, [images_of(found_faces, sequence.rows) for sequence in evaluation_set.sequences]
    )


def test_reference_rows_have_the_best_and_the_worst_scores(references: dict[str, Card]) -> None:
    means: dict[str, dict[str, Any]] = {
        name: {metric: entry.mean for metric, entry in card.items()} for name, card in references.items()
    }
    real, copied, other = (means[name] for name in ("real target", "source copied", "another person"))
    assert set(references) == {"real target", "source copied", "source warped", "another person"}
    assert all(set(card) == set(METRICS) for card in means.values())
    for row in references:
        assert all("no generator" in references[row][probe].note for probe in PROBES)
    assert "no motion" in references["another person"]["landmark_jitter"].note
    assert real["ssim"] == pytest.approx(1)
    assert real["identity_to_target"] == pytest.approx(1)
    assert real["face_error"] == real["source_likeness"] == 0
    assert copied["source_likeness"] == 1
    assert copied["identity_to_source"] == pytest.approx(1)
    assert copied["face_error"] > 0
    assert copied["identity_jitter"] == pytest.approx(0), "the same image in every frame does not flicker"
    assert copied["landmark_jitter"] > 0, "but does not follow the wanted motion"
    assert other["identity_to_target"] < copied["identity_to_target"]


def test_a_generator_that_copies_the_target_has_the_card_of_the_real_target(
    found_faces: FaceData, evaluation_set: EvaluationSet, evaluators: Evaluators, references: dict[str, Card]
) -> None:
    """Its landmark scores are the error of the landmark evaluator on real frames, which is the floor of these scores."""
    scores = measure(perfect(found_faces, evaluation_set), evaluation_set, evaluators)
    assert set(scores) | set(evaluators.missing) == set(METRICS) - set(PROBES) | {LARGE_POSE}
    assert scores["face_error"].max() == 0
    assert scores["ssim"] == pytest.approx(1)
    assert scores["identity_to_target"] == pytest.approx(1)
    assert make_card(scores, evaluation_set.pairs.clip, found_faces, evaluators) == references["real target"]
    assert known(references["real target"]["landmark_error"].mean) > 0.02, "no evaluator is perfect"


def test_images_of_another_person_score_like_the_reference_row(
    found_faces: FaceData, evaluation_set: EvaluationSet, evaluators: Evaluators, references: dict[str, Card]
) -> None:
    other = of_another_person(found_faces, evaluation_set.pairs.target, evaluation_set.pairs.clip)
    assert other is not None
    swapped = GeneratedImages(
        images_of(found_faces, other), [images_of(found_faces, sequence.rows) for sequence in evaluation_set.sequences]
    )
    scores = measure(swapped, evaluation_set, evaluators)
    card = make_card(scores, evaluation_set.pairs.clip, found_faces, evaluators)
    for metric in ("identity_to_target", "identity_kept", "target_following", "landmark_error"):
        assert card[metric] == references["another person"][metric]
    assert known(card["identity_kept"].mean) == pytest.approx(0)


def test_a_black_image_counts_as_a_failure_in_every_landmark_score(
    found_faces: FaceData, evaluation_set: EvaluationSet, evaluators: Evaluators
) -> None:
    drawn = perfect(found_faces, evaluation_set)
    half = drawn.images.copy()
    half[::2] = 0
    whole, scores = (
        measure(drawn, evaluation_set, evaluators),
        measure(GeneratedImages(half, drawn.sequences), evaluation_set, evaluators),
    )
    assert not scores["faces_found"][::2].any()
    assert scores["landmark_failure"][::2].all()
    assert not scores["landmark_auc"][::2].any()
    assert np.isnan(scores["landmark_error"][::2]).all()
    for metric in ("landmark_failure", "landmark_auc", "faces_found", "landmark_error"):
        assert np.array_equal(scores[metric][1::2], whole[metric][1::2], equal_nan=True)


def test_one_clip_has_the_same_pairs_alone_as_among_all(found_faces: FaceData, evaluation_set: EvaluationSet) -> None:
    last = evaluation_set.pairs.clip[-1]
    alone = choose_pairs(found_faces, "test", Config(), SMALL.pairs_per_clip, last, SMALL.large_pose_pairs)
    mine = np.array(evaluation_set.pairs.clip) == last
    assert set(alone.clip) == {last}
    assert np.array_equal(alone.source, evaluation_set.pairs.source[mine])


def test_sequences_are_consecutive_and_avoid_gaps_and_the_source(data: FaceData, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = data.clips("test", 0.0)
    pairs = choose_pairs(data, "test", Config(), 2)
    for sequence, (clip, rows) in zip(choose_sequences(data, pairs, 3), clips.items(), strict=True):
        assert sequence.clip == clip
        assert sequence.source == pairs.source[pairs.clip.index(clip)]
        assert set(sequence.rows) <= set(rows)
        assert np.diff(sequence.rows).tolist() == [1, 1]
    # The sequence in the middle would be rows 2 and 3; it avoids a source that is there.
    rows = clips[pairs.clip[0]]
    assert (
        choose_sequences(data, Pairs(rows[:1], rows[5:], rows[5:], pairs.clip[:1], np.zeros(1, bool)), 2)[0].rows.tolist()
        == rows[2:4].tolist()
    )
    assert (
        choose_sequences(data, Pairs(rows[2:3], rows[5:], rows[5:], pairs.clip[:1], np.zeros(1, bool)), 2)[0].rows.tolist()
        == rows[3:5].tolist()
    )
    frames = np.array(data.frame)
    first = clips[pairs.clip[0]]
    frames[first] = [1, 2, 9, 20, 30, 40]
    monkeypatch.setattr(data, "frame", frames)
    assert choose_sequences(data, pairs, 3)[0].rows.tolist() == first[:2].tolist()
    frames[first] = [1, 3, 9, 20, 30, 40]
    assert not len(choose_sequences(data, pairs, 3)[0].rows)


def test_poses_are_compared_without_position_and_size(data: FaceData, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, theirs = data.clips("test", 0.0).values()
    points = np.array(data.points)
    points[theirs[3]] = 0.5 * points[mine[0]] + 7
    monkeypatch.setattr(data, "points", points)
    assert of_another_person(data, mine[:1], list(data.clips("test", 0.0))[:1]) == [theirs[3]]


def test_another_person_has_the_nearest_pose(data: FaceData) -> None:
    clips = data.clips("test", 0.0)
    mine, theirs = list(clips.values())
    found = of_another_person(data, mine, [next(iter(clips))] * len(mine))
    assert found is not None
    assert set(found) <= set(theirs)

    def shape(row: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        centred = data.points[row] - data.points[row].mean(axis=0)
        return np.asarray(centred / np.sqrt((centred**2).mean()), np.float64)

    for row, other in zip(mine, found, strict=True):
        best = min(((shape(t) - shape(row)) ** 2).sum() for t in theirs)
        assert ((shape(other) - shape(row)) ** 2).sum() == pytest.approx(best, rel=1e-4)


def test_means_go_over_clips_not_frames() -> None:
    scores = {"ssim": np.array([1.0, 1.0, 1.0, 0.0]), "landmark_error": np.array([np.nan, np.nan, np.nan, 0.2])}
    card = summarise(scores, ["a", "a", "a", "b"])
    assert card["ssim"].mean == pytest.approx(0.5)
    assert card["ssim"].interval == (0.0, 1.0)
    assert card["landmark_error"].mean == pytest.approx(0.2)
    assert card["landmark_error"].clips == {"a": None, "b": pytest.approx(0.2)}


def test_intervals_resample_people_with_all_of_their_clips() -> None:
    """Against the bootstrap written out: a resample takes people, and its mean is over all of their clips."""
    values = np.array([0.0, 0.1, 0.2, 1.0, np.nan])
    scores, people = {"ssim": values}, {"a": "x", "b": "x", "c": "x", "d": "y", "e": "z"}
    card = summarise(scores, list("abcde"), people=people)["ssim"]
    assert card.mean == pytest.approx(1.3 / 4), "the mean is over clips"
    clips_of = [values[:3], values[3:4], values[4:]]
    means = []
    for picks in np.random.default_rng(68).integers(3, size=(2_000, 3)):
        chosen = np.concatenate([clips_of[pick] for pick in picks])
        if np.isfinite(chosen).any():
            means.append(np.nanmean(chosen))
    assert card.interval == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])))
    assert card.interval != summarise(scores, list("abcde"))["ssim"].interval
    one_each = {clip: f"person {clip}" for clip in "abcde"}
    assert summarise(scores, list("abcde"), people=one_each) == summarise(scores, list("abcde"))


def test_nothing_measured_is_none_not_zero() -> None:
    card = summarise({"landmark_error": np.array([np.nan, np.nan])}, ["a", "b"])
    assert card["landmark_error"].mean is None
    assert card["landmark_error"].interval is None


def face(scale: float = 10.0) -> np.ndarray[Any, np.dtype[np.float32]]:
    """One face [1, 68, 2] whose eye corners are `scale` apart."""
    points = np.random.default_rng(3).normal(size=(1, 68, 2)).astype(np.float32)
    points[0, EYE_CORNERS[0]], points[0, EYE_CORNERS[1]] = (0, 0), (scale, 0)
    return points


def test_landmark_scores_equal_values_computed_by_hand() -> None:
    wanted = np.concatenate([face()] * 4)
    small = face(5.0) * 1.0
    assert normalised_error(small, face(10.0)) == pytest.approx([5 / 10 / 68], rel=1e-5), (
        "over the wanted eyes, 10 pixels apart"
    )
    found = wanted + np.array([0, 0.4, 0.8, 2.0], np.float32)[:, None, None] * np.array([1, 0], np.float32)
    found[1] = np.nan
    error = normalised_error(found, wanted)
    assert error[[0, 2, 3]] == pytest.approx([0, 0.08, 0.2], abs=1e-6)
    assert np.isnan(error[1])
    exact = np.array([0.0, np.nan, 0.02, 0.08, 0.2])
    assert area_under_curve(exact) == pytest.approx([1, 0, 0.75, 0, 0])
    assert failed(exact).tolist() == [0, 1, 0, 0, 1]
    # The area under the stepped curve of all five images, added up in thin slices.
    slices = np.linspace(0, 0.08, 80_001)
    curve = (exact[:, None] <= slices[None]).mean(axis=0)
    assert area_under_curve(exact).mean() == pytest.approx(np.trapezoid(curve, slices) / 0.08, abs=1e-4)
    with pytest.raises(AssertionError):
        normalised_error(found, found)


def test_jitter_equals_values_computed_by_hand() -> None:
    moving = np.concatenate([face() + 3 * i for i in range(4)])
    assert landmark_jitter(moving + 5, moving) == pytest.approx(0, abs=1e-6), "a constant error is no jitter"
    shaken = moving + np.array([0, 1, 0, 1], np.float32)[:, None, None] * np.array([1, 0], np.float32)
    assert landmark_jitter(shaken, moving) == pytest.approx(0.1, abs=1e-6)
    shaken[1] = np.nan
    assert landmark_jitter(shaken, moving) == pytest.approx(0.1, abs=1e-6)
    assert np.isnan(landmark_jitter(shaken[:2], moving[:2]))
    assert identity_jitter(np.array([[1.0, 0], [2, 0], [0, 1]])) == pytest.approx(0.5)
    assert np.isnan(identity_jitter(np.ones((1, 2))))
    assert identity_jitter(np.array([[1.0, 0], [np.nan, np.nan], [2, 0], [1, 1]])) == pytest.approx(1 - 0.5**0.5)


def test_kid_equals_its_sums_written_out() -> None:
    """The sums over i != j written out, with the kernel (x . y / d + 1)^3."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(5, 3)) + 1
    total = 0.0
    for i in range(5):
        for j in (j for j in range(5) if j != i):
            k = [(a @ b / 3 + 1) ** 3 for a, b in ((x[i], x[j]), (y[i], y[j]), (x[i], y[j]), (x[j], y[i]))]
            total += k[0] + k[1] - k[2] - k[3]
    assert kid(x, y) == pytest.approx(total / 20)
    assert kid(x, x) == 0
    without = [kid(np.delete(x, i, 0), np.delete(y, i, 0)) for i in range(5)]
    assert kid_pseudo_values(x, y) == pytest.approx(5 * kid(x, y) - 4 * np.array(without))


def test_kid_is_unbiased_on_paired_sets() -> None:
    """For paired sets of one distribution, the mean over many draws is 0."""
    rng = np.random.default_rng(2)
    values = []
    for _ in range(2_000):
        x = rng.normal(size=(6, 4))
        values.append(kid(x, 0.8 * x + 0.6 * rng.normal(size=x.shape)))
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(len(values))


def test_kid_is_taken_over_a_fixed_number_of_images() -> None:
    rng = np.random.default_rng(4)
    clips = ["a"] * 3 + ["b"] * 5
    measured = {"ssim": np.ones(8), GENERATED: rng.normal(size=(8, 6)), TARGETS: rng.normal(size=(8, 6))}
    scores, missing = with_kid(measured, clips, 8)
    assert set(scores) == {"ssim", "kid"} and not missing
    whole = kid(measured[GENERATED], measured[TARGETS])
    assert summarise(scores, clips)["kid"].mean == pytest.approx(whole), "clips of different size"
    assert "kid" in with_kid(measured, clips, 4)[0]
    scores, missing = with_kid(measured, clips, 9)
    assert "kid" not in scores
    assert missing == {"kid": "not measured: 8 pairs, fewer than --evaluators.kid_images 9"}


def test_a_metric_that_was_not_measured_has_a_note() -> None:
    card = summarise({"ssim": np.ones(2)}, ["a", "b"], {"a": "x", "b": "y"}, {"lpips": "not measured: weights missing"})
    assert card["lpips"] == MetricSummary(None, None, {"a": None, "b": None}, note="not measured: weights missing")


def test_each_category_has_its_own_mean() -> None:
    scores = {"ssim": np.array([1.0, 1.0, 0.5, 0.0])}
    card = summarise(scores, ["a", "a", "b", "c"], {"a": "category_1", "b": "category_1", "c": "category_3"})
    categories = card["ssim"].categories
    assert {name: (entry.mean, entry.clips) for name, entry in categories.items()} == {
        "category_1": (0.75, 2),
        "category_3": (0.0, 1),
    }


def test_discrimination_equals_values_computed_by_hand() -> None:
    same, different = np.array([0.9, 0.8, 0.4]), np.array([0.5, 0.4, 0.1])
    # 0.9 and 0.8 are above all three, 0.4 is above one and equal to one.
    assert roc_area(same, different) == pytest.approx((3 + 3 + 1.5) / 9, abs=1e-12)
    assert equal_error(same, different) == pytest.approx((1 / 3, 0.5))
    assert equal_error(np.array([0.9, 0.8]), np.array([0.5, 0.85, 0.1])) == pytest.approx(((1 / 2 + 1 / 3) / 2, 0.85))
    apart = discrimination(np.eye(4)[[0, 0, 1, 1, 0]] + 0.01, np.array([1, 2, 3, 4, 1]), ["a", "a", "b", "b", "a"])
    assert (apart.auc, apart.equal_error_rate) == (1, 0)
    assert apart.same is not None and apart.different is not None
    assert (apart.frames, apart.same.pairs, apart.different.pairs) == (4, 2, 4), "a frame twice counts once"
    assert sum(apart.same.histogram) == 2
    alone = discrimination(np.eye(2), np.array([0, 1]), ["a", "a"])
    assert alone.auc is None
    assert "two people" in sentence(alone, "it")


def test_the_roc_area_is_the_statistic_of_mann_and_whitney() -> None:
    """Against the count of all pairs, on rounded values with many ties."""
    rng = np.random.default_rng(5)
    same, different = rng.normal(0.4, 1, 300).round(1), rng.normal(0, 1, 700).round(1)
    above = (same[:, None] > different).mean() + (same[:, None] == different).mean() / 2
    assert roc_area(same, different) == pytest.approx(above, abs=1e-12)


def test_generated_images_out_of_range_are_refused() -> None:
    greys = torch.tensor([-1.0, 0.0, 1.0]).view(1, 1, 1, 3).expand(1, 3, 1, 3)
    assert to_bytes(greys)[0, 0].tolist() == [[0] * 3, [128] * 3, [255] * 3]
    with pytest.raises(AssertionError, match=r"not in \[-1, 1\]"):
        to_bytes(torch.full((1, 3, 4, 4), 200.0))
