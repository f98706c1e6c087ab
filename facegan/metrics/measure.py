"""Measure every metric of generated images, and of the reference rows, on the test people of a data set."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegan.config import Config
from facegan.data.face_data import FaceData
from facegan.errors import UserError
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
    """The pairs and frame sequences to evaluate, with their real images, landmarks and embeddings.

    Of the n pairs: `sources` and `targets` are images, the points [n, 68, 2] are in crop pixels, the embeddings are [n, d].
    `sequence_points` holds the landmarks [m, 68, 2] of each sequence.
    """

    pairs: Pairs
    sequences: list[FrameSequence]
    sources: Images
    targets: Images
    source_points: NDArray[np.float32]
    target_points: NDArray[np.float32]
    source_embeddings: NDArray[np.float64]
    target_embeddings: NDArray[np.float64]
    sequence_points: list[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class GeneratedImages:
    """One image for the target of each pair, and the images for the frames of each sequence."""

    images: Images
    sequences: list[Images]


def prepare_evaluation_set(
    data: FaceData, evaluators: Evaluators, cache: Path | None, sampling: Sampling, only: str | None = None
) -> EvaluationSet:
    """The evaluation set of the test clips, or of the clip `only`.

    The embeddings, which take most of the time, are read from the file `cache` if it exists and written there otherwise.
    """
    pairs = choose_pairs(data, "test", Config(), sampling.pairs_per_clip, only)
    sequences = choose_sequences(data, pairs, sampling.sequence_frames)
    images = images_of(data, pairs.source), images_of(data, pairs.target)
    points = data.points[pairs.source], data.points[pairs.target]
    if cache is not None and cache.exists():
        try:
            embeddings = np.load(cache, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise UserError(f"{cache} is damaged ({error}); remove it, and it is made again") from None
        if embeddings.shape[:2] != (2, len(pairs)):
            raise UserError(f"{cache} belongs to other data; remove it, and it is made again")
    else:
        embeddings = np.stack([evaluators.identity.embed(i, p) for i, p in zip(images, points, strict=True)])
        if cache is not None:
            with replacing(cache) as partial, partial.open("wb") as sink:
                np.save(sink, embeddings)
    return EvaluationSet(
        pairs=pairs,
        sequences=sequences,
        sources=images[0],
        targets=images[1],
        source_points=points[0],
        target_points=points[1],
        source_embeddings=embeddings[0],
        target_embeddings=embeddings[1],
        sequence_points=[data.points[sequence.rows] for sequence in sequences],
    )


def generate_all(generate: Generate, data: FaceData, evaluation_set: EvaluationSet) -> GeneratedImages:
    """The images that a generator makes for the pairs and the sequences; each sequence is made from one source image."""
    images = generate(evaluation_set.sources, evaluation_set.target_points)
    sequences = []
    for sequence, points in zip(evaluation_set.sequences, evaluation_set.sequence_points, strict=True):
        source = images_of(data, np.full(len(sequence.rows), sequence.source))
        sequences.append(generate(source, points) if len(sequence.rows) else source)
    return GeneratedImages(images, sequences)


def measure(generated: GeneratedImages, evaluation_set: EvaluationSet, evaluators: Evaluators) -> Scores:
    """[n] values per pair of every metric that the evaluators can measure; `with_kid` turns Inception's features into KID."""
    embedding = evaluators.identity.embed(generated.images, evaluation_set.target_points)
    embeddings = [
        _embed(images, points, evaluators)
        for images, points in zip(generated.sequences, evaluation_set.sequence_points, strict=True)
    ]
    return _measure_pairs(generated.images, embedding, evaluation_set, evaluators) | _measure_sequences(
        generated.sequences, embeddings, evaluation_set, evaluators
    )


def measure_references(data: FaceData, evaluation_set: EvaluationSet, evaluators: Evaluators) -> dict[str, Scores]:
    """The same metrics of images whose quality is known, by the name of their row in tables.

    `real target`: the target itself; its landmark scores are the error of the landmark evaluator. `source copied`: the source
    image, unchanged. `another person`: another person's frame of the same pose; it has no jitter, since such frames are not
    consecutive, and is left out if all test clips are of one person.
    """
    real = [images_of(data, sequence.rows) for sequence in evaluation_set.sequences]
    embeddings = [
        _embed(images, points, evaluators) for images, points in zip(real, evaluation_set.sequence_points, strict=True)
    ]
    copied = generate_all(lambda sources, points: sources, data, evaluation_set)
    # The same image in every frame has the same embedding, so any constant will do.
    constant = [np.ones((len(sequence.rows), 1)) for sequence in evaluation_set.sequences]
    rows = {
        "real target": _measure_pairs(evaluation_set.targets, evaluation_set.target_embeddings, evaluation_set, evaluators)
        | _measure_sequences(real, embeddings, evaluation_set, evaluators),
        "source copied": _measure_pairs(evaluation_set.sources, evaluation_set.source_embeddings, evaluation_set, evaluators)
        | _measure_sequences(copied.sequences, constant, evaluation_set, evaluators),
    }
    other = of_another_person(data, evaluation_set.pairs.target, evaluation_set.pairs.clip)
    if other is not None:
        images = images_of(data, other)
        embedding = evaluators.identity.embed(images, data.points[other])
        rows["another person"] = _measure_pairs(images, embedding, evaluation_set, evaluators)
    return rows


def cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n]: cosine similarity of the rows of a [n, d] and b [n, d], in [-1, 1]."""
    return np.asarray((a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)), np.float64)


def _embed(images: Images, points: NDArray[np.float32], evaluators: Evaluators) -> NDArray[np.float64]:
    return evaluators.identity.embed(images, points) if len(images) else np.empty((0, 1))


def _measure_pairs(
    images: Images, embedding: NDArray[np.float64], evaluation_set: EvaluationSet, evaluators: Evaluators
) -> Scores:
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


def _measure_sequences(
    generated: list[Images], embeddings: list[NDArray[np.float64]], evaluation_set: EvaluationSet, evaluators: Evaluators
) -> Scores:
    """The jitter of each clip's sequence, repeated for each of its pairs."""
    jitter = {}
    for sequence, images, points, embedding in zip(
        evaluation_set.sequences, generated, evaluation_set.sequence_points, embeddings, strict=True
    ):
        found = evaluators.landmarks.find(images)
        jitter[sequence.clip] = (identity_jitter(embedding), landmark_jitter(found, points))
    values = np.array([jitter[clip] for clip in evaluation_set.pairs.clip], np.float64)
    return {"identity_jitter": values[:, 0], "landmark_jitter": values[:, 1]}
