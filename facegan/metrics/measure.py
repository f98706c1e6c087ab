"""Measuring: a generator's images, and the reference rows, against the real frames of people never trained on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegan.config import Config
from facegan.data.face_data import FaceData
from facegan.files import replacing
from facegan.inference import Generate, Images
from facegan.metrics.card import Scores
from facegan.metrics.evaluation_config import Sampling
from facegan.metrics.evaluators import Evaluators
from facegan.metrics.image_quality import face_error, face_masks, psnr, ssim
from facegan.metrics.landmark_scores import area_under_curve, failed, identity_jitter, landmark_jitter, normalised_error
from facegan.metrics.pairs import FrameSequence, Pairs, choose_pairs, choose_sequences, images_of, of_another_person


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """The judged pairs and runs of a data set with what all judging needs of them: computed once a study."""

    pairs: Pairs
    runs: list[FrameSequence]
    sources: Images
    targets: Images
    source_points: NDArray[np.float32]
    target_points: NDArray[np.float32]
    source_embeddings: NDArray[np.float64]
    target_embeddings: NDArray[np.float64]
    run_points: list[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class GeneratedImages:
    """Images that should equal the pairs' targets, and of each run those that should equal its frames."""

    images: Images
    runs: list[Images]


def prepare_evaluation_set(
    data: FaceData, evaluators: Evaluators, cache: Path | None, sampling: Sampling, only: str | None = None
) -> EvaluationSet:
    """The test pairs of a data set, or of one clip; their embeddings, which take the time, are kept in the file `cache`."""
    pairs = choose_pairs(data, "test", Config(), sampling.pairs_per_clip, only)
    runs = choose_sequences(data, pairs, sampling.sequence_frames)
    images = images_of(data, pairs.source), images_of(data, pairs.target)
    points = data.points[pairs.source], data.points[pairs.target]
    if cache is not None and cache.exists():
        embeddings = np.load(cache, allow_pickle=False)
    else:
        embeddings = np.stack([evaluators.identity.embed(i, p) for i, p in zip(images, points, strict=True)])
        if cache is not None:
            with replacing(cache) as partial, partial.open("wb") as sink:
                np.save(sink, embeddings)
    assert embeddings.shape[1] == len(pairs), f"{cache} belongs to other data"
    of_source, of_target = embeddings
    return EvaluationSet(pairs, runs, *images, *points, of_source, of_target, [data.points[run.rows] for run in runs])


def generate_all(generate: Generate, data: FaceData, evaluation_set: EvaluationSet) -> GeneratedImages:
    """What a generator makes of the pairs and the runs."""
    images = generate(evaluation_set.sources, evaluation_set.target_points)
    runs = []
    for run, points in zip(evaluation_set.runs, evaluation_set.run_points, strict=True):
        source = images_of(data, np.full(len(run.rows), run.source))
        runs.append(generate(source, points) if len(run.rows) else source)
    return GeneratedImages(images, runs)


def measure(drawn: GeneratedImages, evaluation_set: EvaluationSet, evaluators: Evaluators) -> Scores:
    """All that the evaluators can measure of drawn images; `with_kid` makes scores of it."""
    embedding = evaluators.identity.embed(drawn.images, evaluation_set.target_points)
    moving = [_embed(images, points, evaluators) for images, points in zip(drawn.runs, evaluation_set.run_points, strict=True)]
    return _of_pairs(drawn.images, embedding, evaluation_set, evaluators) | _of_runs(
        drawn.runs, moving, evaluation_set, evaluators
    )


def measure_references(data: FaceData, evaluation_set: EvaluationSet, evaluators: Evaluators) -> dict[str, Scores]:
    """The rows to read a card against: the target itself, the source copied, and another person's frame of that pose.

    The real target's landmark scores are the judge's own error. Another person's frames are no motion, so they have no jitter.
    """
    real = [images_of(data, run.rows) for run in evaluation_set.runs]
    moving = [_embed(images, points, evaluators) for images, points in zip(real, evaluation_set.run_points, strict=True)]
    copied = generate_all(lambda sources, points: sources, data, evaluation_set)
    # One image shown again and again has one embedding.
    still = [np.ones((len(run.rows), 1)) for run in evaluation_set.runs]
    rows = {
        "real target": _of_pairs(evaluation_set.targets, evaluation_set.target_embeddings, evaluation_set, evaluators)
        | _of_runs(real, moving, evaluation_set, evaluators),
        "source copied": _of_pairs(evaluation_set.sources, evaluation_set.source_embeddings, evaluation_set, evaluators)
        | _of_runs(copied.runs, still, evaluation_set, evaluators),
    }
    other = of_another_person(data, evaluation_set.pairs.target, evaluation_set.pairs.clip)
    if other is not None:
        images = images_of(data, other)
        rows["another person"] = _of_pairs(
            images, evaluators.identity.embed(images, data.points[other]), evaluation_set, evaluators
        )
    return rows


def cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n]: cosine similarity of rows."""
    return np.asarray((a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)), np.float64)


def _embed(images: Images, points: NDArray[np.float32], evaluators: Evaluators) -> NDArray[np.float64]:
    return evaluators.identity.embed(images, points) if len(images) else np.empty((0, 1))


def _of_pairs(images: Images, embedding: NDArray[np.float64], evaluation_set: EvaluationSet, evaluators: Evaluators) -> Scores:
    masks = face_masks(evaluation_set.target_points, images.shape[1])
    to_target = face_error(images, evaluation_set.targets, masks)
    to_source = face_error(images, evaluation_set.sources, masks)
    landmark_error = normalised_error(evaluators.landmarks.find(images), evaluation_set.target_points)
    scores = {
        "face_error": to_target,
        "landmark_error": landmark_error,
        "landmark_auc": area_under_curve(landmark_error),
        "landmark_failure": failed(landmark_error),
        "faces_found": np.isfinite(landmark_error).astype(np.float64),
        "identity_to_target": cosine(embedding, evaluation_set.target_embeddings),
        "identity_to_source": cosine(embedding, evaluation_set.source_embeddings),
        "ssim": ssim(images, evaluation_set.targets),
        "psnr": psnr(images, evaluation_set.targets),
        "source_likeness": to_target / np.maximum(to_target + to_source, 1e-9),
    }
    for network in evaluators.pair_networks.values():
        scores |= network.measure(images, evaluation_set.targets)
    return scores


def _of_runs(
    runs: list[Images], embeddings: list[NDArray[np.float64]], evaluation_set: EvaluationSet, evaluators: Evaluators
) -> Scores:
    """A clip's jitter at each of its pairs."""
    of_clip = {}
    for run, images, points, embedded in zip(evaluation_set.runs, runs, evaluation_set.run_points, embeddings, strict=True):
        found = evaluators.landmarks.find(images)
        of_clip[run.clip] = (identity_jitter(embedded), landmark_jitter(found, points))
    values = np.array([of_clip[clip] for clip in evaluation_set.pairs.clip], np.float64)
    return {"identity_jitter": values[:, 0], "landmark_jitter": values[:, 1]}
