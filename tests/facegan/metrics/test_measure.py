"""What is measured, on images that evaluators know: which landmarks, which mask, which colours, and which pairs."""

import cv2
import dlib
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.inference import image_generator
from facegan.landmarks.dlib_finder import model_file
from facegan.metrics.backbones.dlib_networks import DlibIdentity, DlibLandmarks
from facegan.metrics.card import LARGE_POSE
from facegan.metrics.evaluation import make_card
from facegan.metrics.evaluation_config import Sampling
from facegan.metrics.evaluation_set import EvaluationSet, GeneratedImages, generate_all, prepare_evaluation_set
from facegan.metrics.evaluators import Evaluators
from facegan.metrics.measure import measure
from facegan.metrics.pairs import choose_pairs, images_of
from tests.facegan.metrics.oracle import Pictures, evaluators_of, oracle_of

SMALL = Sampling(pairs_per_clip=3, large_pose_pairs=2, sequence_frames=2)


@pytest.fixture(scope="module")
def evaluators(data: FaceData) -> Evaluators:
    return evaluators_of(oracle_of(data))


@pytest.fixture(scope="module")
def evaluation_set(data: FaceData, evaluators: Evaluators) -> EvaluationSet:
    return prepare_evaluation_set(data, evaluators, None, SMALL)


def drawn(images: Pictures, data: FaceData, evaluation_set: EvaluationSet) -> GeneratedImages:
    """These images for the pairs, and copies of the source for the sequences."""
    copied = generate_all(lambda sources, points: sources, data, evaluation_set)
    return GeneratedImages(images, copied.sequences)


def test_frames_are_evaluated_as_they_are_stored_and_drawn_with_the_target_landmarks(
    data: FaceData, evaluation_set: EvaluationSet
) -> None:
    """A generator is given the source's image and the target's landmarks, and a frame is never mirrored."""
    pairs, given = evaluation_set.pairs, []

    def generate(sources: Pictures, points: NDArray[np.float32]) -> Pictures:
        given.append((sources, points))
        return sources

    generate_all(generate, data, evaluation_set)
    for k, (source, target) in enumerate(zip(pairs.source, pairs.target, strict=True)):
        assert np.array_equal(given[0][0][k], data.image(source)) and np.array_equal(given[0][1][k], data.points[target])
        assert np.array_equal(evaluation_set.targets[k], data.image(target))
    assert not np.array_equal(evaluation_set.source_points, evaluation_set.target_points)
    for sequence, (sources, points) in zip(evaluation_set.sequences, given[1:], strict=True):
        assert np.array_equal(points, data.points[sequence.rows])
        assert all(np.array_equal(image, data.image(sequence.source)) for image in sources)


class Unchanged(nn.Module):
    """A generator that returns its input."""

    def forward(self, image: Tensor, landmarks: Tensor) -> Tensor:
        return image


def test_a_network_that_returns_its_input_generates_the_source(data: FaceData, tiny: Config) -> None:
    rows = np.arange(3)
    sources = images_of(data, rows)
    generate = image_generator(Unchanged(), tiny, torch.device("cpu"))  # type: ignore[arg-type]
    assert np.array_equal(generate(sources, data.points[rows]), sources)


def test_face_scores_are_mean_absolute_differences_in_the_face_of_the_target(
    data: FaceData, evaluation_set: EvaluationSet, evaluators: Evaluators
) -> None:
    """Errors and likeness written out, over the convex hull of the target's landmarks and not the source's."""
    real, rng = evaluation_set, np.random.default_rng(0)
    images = rng.integers(0, 256, real.targets.shape, dtype=np.uint8)
    scores = measure(drawn(images, data, real), real, evaluators)
    for k, image in enumerate(images):
        errors = {}
        for whose, points in (("target", real.target_points[k]), ("source", real.source_points[k])):
            inside = np.zeros(image.shape[:2], np.uint8)
            cv2.fillConvexPoly(inside, cv2.convexHull(np.round(points).astype(np.int32)), [1])
            face = inside.astype(bool)
            to_target, to_source = (
                np.abs(image[face].astype(float) - other[k][face]).mean() for other in (real.targets, real.sources)
            )
            errors[whose] = to_target, to_target / (to_target + to_source)
        assert scores["face_error"][k] == pytest.approx(errors["target"][0])
        assert scores["source_likeness"][k] == pytest.approx(errors["target"][1])
        assert errors["source"][0] != pytest.approx(errors["target"][0])


def test_pairs_of_large_pose_change_are_those_with_the_largest_change_and_are_scored_apart(
    data: FaceData, evaluation_set: EvaluationSet, evaluators: Evaluators
) -> None:
    pairs, clips = evaluation_set.pairs, data.clips("test", 0.0)
    assert pairs.large_pose.tolist() == [False, False, False, True, True] * 2
    usual = choose_pairs(data, "test", Config(), 3)
    assert np.array_equal(pairs.source[~pairs.large_pose], usual.source), "the others are those of before"

    def change(a: int, b: int) -> float:
        x, y = (data.points[row] - data.points[row].mean(axis=0) for row in (a, b))
        return float(np.linalg.norm(x / np.sqrt((x**2).mean()) - y / np.sqrt((y**2).mean())))

    for clip, rows in clips.items():
        mine = [k for k, name in enumerate(pairs.clip) if name == clip and pairs.large_pose[k]]
        largest = max(change(a, b) for a in rows for b in rows)
        assert [change(pairs.source[k], pairs.target[k]) for k in mine] == pytest.approx([largest] * 2, rel=1e-5)
        assert pairs.source[mine[0]] == pairs.target[mine[1]], "there and back"
    measured = measure(drawn(evaluation_set.sources, data, evaluation_set), evaluation_set, evaluators)
    measured["ssim"] = np.where(pairs.large_pose, 0.2, 0.8)
    card = make_card(measured, pairs.clip, data, evaluators)
    assert LARGE_POSE in measured and LARGE_POSE not in card
    assert card["ssim"].mean == pytest.approx(0.8) and card["ssim"].clips == pytest.approx(dict.fromkeys(clips, 0.8))
    large = card["ssim"].large_pose
    assert large is not None and large.mean == pytest.approx(0.2) and large.clips == 2
    assert card["identity_jitter"].large_pose is None


def colourful_face(data: FaceData) -> tuple[Pictures, NDArray[np.float32]]:
    """A test person's frame with a strong tint, so that exchanged colours are another image."""
    row = next(iter(data.clips("test", 0.0).values()))[0]
    tinted = data.image(row) * np.array([1.0, 0.7, 0.45])
    return tinted.astype(np.uint8)[None], data.points[row][None]


@pytest.mark.slow
def test_dlib_is_given_red_green_and_blue_in_this_order(found_faces: FaceData) -> None:
    """Both evaluators against dlib's own functions on the enlarged image; with exchanged colours they differ."""
    images, points = colourful_face(found_faces)
    large = cv2.resize(images[0], (256, 256), interpolation=cv2.INTER_CUBIC)
    boxes = dlib.get_frontal_face_detector()(large, 0)
    shape = dlib.shape_predictor(model_file("shape_predictor_68_face_landmarks.dat"))(large, max(boxes, key=lambda b: b.area()))
    wanted = (np.array([(part.x, part.y) for part in shape.parts()]) + 0.5) / 8 - 0.5
    assert DlibLandmarks().find(images)[0] == pytest.approx(wanted, abs=1e-4)
    where = np.round((points[0] + 0.5) * 8 - 0.5).astype(int)
    box = dlib.rectangle(*where.min(axis=0).tolist(), *where.max(axis=0).tolist())
    chip = dlib.get_face_chip(large, dlib.full_object_detection(box, [dlib.point(*xy) for xy in where.tolist()]), 150, 0.25)
    network = dlib.face_recognition_model_v1(model_file("dlib_face_recognition_resnet_model_v1.dat"))
    ours = DlibIdentity().embed(images, points)[0]
    assert ours == pytest.approx(np.array(network.compute_face_descriptor(chip)), abs=1e-5)
    swapped = np.array(network.compute_face_descriptor(np.ascontiguousarray(chip[:, :, ::-1])))
    assert np.abs(ours - swapped).max() > 0.01
    no_face = np.full_like(points, np.nan)
    mixed = DlibIdentity().embed(np.concatenate([images, images]), np.concatenate([no_face, points]))
    assert np.isnan(mixed[0]).all() and mixed[1] == pytest.approx(ours)
