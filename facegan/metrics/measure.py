"""Measuring: a generator's images, and the reference rows, against the real frames of people never trained on."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegan.config import Config
from facegan.data.face_data import FaceData
from facegan.inference import Draw, Images
from facegan.metrics.backbones.inception import inception_features
from facegan.metrics.backbones.lpips import lpips_distance
from facegan.metrics.card import GENERATED, TARGETS, Scores
from facegan.metrics.evaluation_config import Sampling
from facegan.metrics.evaluators import Judges
from facegan.metrics.image_quality import face_error, face_masks, psnr, ssim
from facegan.metrics.landmark_scores import area_under_curve, failed, identity_jitter, landmark_jitter, normalised_error
from facegan.metrics.pairs import Pairs, Run, choose_pairs, choose_runs, images_of, of_another_person


@dataclass(frozen=True, slots=True)
class Truth:
    """The judged pairs and runs of a data set with what all judging needs of them: computed once a study."""

    pairs: Pairs
    runs: list[Run]
    sources: Images
    targets: Images
    source_points: NDArray[np.float32]
    target_points: NDArray[np.float32]
    source_embeddings: NDArray[np.float64]
    target_embeddings: NDArray[np.float64]
    run_points: list[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Images that should equal the pairs' targets, and of each run those that should equal its frames."""

    images: Images
    runs: list[Images]


def prepare_truth(data: FaceData, judges: Judges, cache: Path | None, sampling: Sampling, only: str | None = None) -> Truth:
    """The test pairs of a data set, or of one clip; their embeddings, which take the time, are kept in the file `cache`."""
    pairs = choose_pairs(data, "test", Config(), sampling.pairs_per_clip, only)
    runs = choose_runs(data, pairs, sampling.run_frames)
    images = images_of(data, pairs.source), images_of(data, pairs.target)
    points = data.points[pairs.source], data.points[pairs.target]
    if cache is not None and cache.exists():
        embeddings = np.load(cache, allow_pickle=False)
    else:
        embeddings = np.stack([judges.identity.embed(i, p) for i, p in zip(images, points, strict=True)])
        if cache is not None:
            partial = cache.with_name(f"{cache.stem}.{os.getpid()}.npy")
            np.save(partial, embeddings)
            os.replace(partial, cache)
    assert embeddings.shape[1] == len(pairs), f"{cache} belongs to other data"
    of_source, of_target = embeddings
    return Truth(pairs, runs, *images, *points, of_source, of_target, [data.points[run.rows] for run in runs])


def draw_all(draw: Draw, data: FaceData, truth: Truth) -> Drawn:
    """What a generator makes of the pairs and the runs."""
    images = draw(truth.sources, truth.target_points)
    runs = []
    for run, points in zip(truth.runs, truth.run_points, strict=True):
        source = images_of(data, np.full(len(run.rows), run.source))
        runs.append(draw(source, points) if len(run.rows) else source)
    return Drawn(images, runs)


def measure(drawn: Drawn, truth: Truth, judges: Judges) -> Scores:
    """All that the judges can measure of drawn images; `with_kid` makes scores of it."""
    embedding = judges.identity.embed(drawn.images, truth.target_points)
    moving = [_embed(images, points, judges) for images, points in zip(drawn.runs, truth.run_points, strict=True)]
    return _of_pairs(drawn.images, embedding, truth, judges) | _of_runs(drawn.runs, moving, truth, judges)


def measure_references(data: FaceData, truth: Truth, judges: Judges) -> dict[str, Scores]:
    """The rows to read a card against: the target itself, the source copied, and another person's frame of that pose.

    The real target's landmark scores are the judge's own error. Another person's frames are no motion, so they have no jitter.
    """
    real = [images_of(data, run.rows) for run in truth.runs]
    moving = [_embed(images, points, judges) for images, points in zip(real, truth.run_points, strict=True)]
    copied = draw_all(lambda sources, points: sources, data, truth)
    # One image shown again and again has one embedding.
    still = [np.ones((len(run.rows), 1)) for run in truth.runs]
    rows = {
        "real target": _of_pairs(truth.targets, truth.target_embeddings, truth, judges) | _of_runs(real, moving, truth, judges),
        "source copied": _of_pairs(truth.sources, truth.source_embeddings, truth, judges)
        | _of_runs(copied.runs, still, truth, judges),
    }
    other = of_another_person(data, truth.pairs.target, truth.pairs.clip)
    if other is not None:
        images = images_of(data, other)
        rows["another person"] = _of_pairs(images, judges.identity.embed(images, data.points[other]), truth, judges)
    return rows


def cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n]: cosine similarity of rows."""
    return np.asarray((a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)), np.float64)


def _embed(images: Images, points: NDArray[np.float32], judges: Judges) -> NDArray[np.float64]:
    return judges.identity.embed(images, points) if len(images) else np.empty((0, 1))


def _of_pairs(images: Images, embedding: NDArray[np.float64], truth: Truth, judges: Judges) -> Scores:
    masks = face_masks(truth.target_points, images.shape[1])
    to_target = face_error(images, truth.targets, masks)
    to_source = face_error(images, truth.sources, masks)
    landmark_error = normalised_error(judges.landmarks.find(images), truth.target_points)
    scores = {
        "face_error": to_target,
        "landmark_error": landmark_error,
        "landmark_auc": area_under_curve(landmark_error),
        "landmark_failure": failed(landmark_error),
        "faces_found": np.isfinite(landmark_error).astype(np.float64),
        "identity_to_target": cosine(embedding, truth.target_embeddings),
        "identity_to_source": cosine(embedding, truth.source_embeddings),
        "ssim": ssim(images, truth.targets),
        "psnr": psnr(images, truth.targets),
        "source_likeness": to_target / np.maximum(to_target + to_source, 1e-9),
    }
    if judges.lpips:
        scores["lpips"] = lpips_distance(judges.lpips, images, truth.targets)
    if judges.inception:
        scores[GENERATED] = inception_features(judges.inception, images).astype(np.float64)
        scores[TARGETS] = inception_features(judges.inception, truth.targets).astype(np.float64)
    return scores


def _of_runs(runs: list[Images], embeddings: list[NDArray[np.float64]], truth: Truth, judges: Judges) -> Scores:
    """A clip's jitter at each of its pairs."""
    of_clip = {}
    for run, images, points, embedded in zip(truth.runs, runs, truth.run_points, embeddings, strict=True):
        found = judges.landmarks.find(images)
        of_clip[run.clip] = (identity_jitter(embedded), landmark_jitter(found, points))
    values = np.array([of_clip[clip] for clip in truth.pairs.clip], np.float64)
    return {"identity_jitter": values[:, 0], "landmark_jitter": values[:, 1]}
