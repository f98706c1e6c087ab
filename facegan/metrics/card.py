"""The metric card: scores of a generator on people never trained on, and the reference rows beside which they mean something.

Scores are means over pairs of a clip, then over clips; intervals come from resampling clips, never frames.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegan.config import Config
from facegan.data.triplets import FaceData
from facegan.metrics.dlib_judges import IdentityJudge, LandmarkJudge, cosine
from facegan.metrics.image import face_error, face_masks, psnr, ssim
from facegan.metrics.landmarks import landmark_auc, landmark_failure
from facegan.metrics.pairs import Images, Pairs, choose_pairs, images_of

PAIRS_PER_CLIP = 4
_RESAMPLES = 2_000

METRICS: dict[str, str] = {
    "face_error": "mean absolute error inside the face, grey levels of 255; less is better",
    "landmark_error": "landmarks found again in the image against the wanted ones, over the eye distance; less is better",
    "landmark_auc": "area under the curve of images within a landmark error, up to 0.08; no face adds nothing; more is better",
    "landmark_failure": "share of images with a landmark error above 0.08 or without a face; less is better",
    "faces_found": "share of images in which the landmark judge finds a face",
    "identity_to_target": "cosine of dlib's face embeddings, image and target; more is better",
    "identity_to_source": "cosine of dlib's face embeddings, image and source",
    "ssim": "structural similarity to the target; more is better",
    "psnr": "peak signal to noise ratio against the target, dB; more is better",
    "source_likeness": "0: inside the face it is the target, 1: it is the source, above 0.5: it is closer to the source",
}

Scores = dict[str, NDArray[np.float64]]
"""[n] values of each metric, one a pair."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The judged pairs of a data set with what all judging needs of them: computed once a study."""

    pairs: Pairs
    sources: Images
    targets: Images
    source_points: NDArray[np.float32]
    target_points: NDArray[np.float32]
    source_embeddings: NDArray[np.float64]
    target_embeddings: NDArray[np.float64]


def prepare_truth(data: FaceData, config: Config, cache: Path) -> Truth:
    """The test pairs of a data set; their embeddings, which take the time, are kept in the file `cache`."""
    pairs = choose_pairs(data, "test", config, PAIRS_PER_CLIP)
    sources, targets = images_of(data, pairs.source), images_of(data, pairs.target)
    source_points, target_points = data.points[pairs.source], data.points[pairs.target]
    if cache.exists():
        embeddings = np.load(cache, allow_pickle=False)
    else:
        judge = IdentityJudge()
        embeddings = np.stack([judge.embed(sources, source_points), judge.embed(targets, target_points)])
        partial = cache.with_name(f"{cache.stem}.{os.getpid()}.npy")
        np.save(partial, embeddings)
        os.replace(partial, cache)
    assert embeddings.shape[1] == len(pairs), f"{cache} belongs to other data"
    return Truth(pairs, sources, targets, source_points, target_points, *embeddings)


def score_images(images: Images, truth: Truth) -> Scores:
    """All metrics of images [n, size, size, 3] that should equal the pairs' targets."""
    embedding = IdentityJudge().embed(images, truth.target_points)
    return _scores(images, embedding, truth)


def reference_scores(truth: Truth) -> dict[str, Scores]:
    """The rows to read a card against: the target itself, the source copied, and another person's frame."""
    # Pairs are ordered by clip: half of them further on is somebody else, wherever there are two clips or more.
    other = np.roll(np.arange(len(truth.pairs)), len(truth.pairs) // 2)
    return {
        "real target": _scores(truth.targets, truth.target_embeddings, truth),
        "source copied": _scores(truth.sources, truth.source_embeddings, truth),
        "another person": _scores(truth.targets[other], truth.target_embeddings[other], truth),
    }


def _scores(images: Images, embedding: NDArray[np.float64], truth: Truth) -> Scores:
    masks = face_masks(truth.target_points, images.shape[1])
    to_target = face_error(images, truth.targets, masks)
    to_source = face_error(images, truth.sources, masks)
    landmark_error = LandmarkJudge().error(images, truth.target_points)
    return {
        "face_error": to_target,
        "landmark_error": landmark_error,
        "landmark_auc": landmark_auc(landmark_error),
        "landmark_failure": landmark_failure(landmark_error),
        "faces_found": np.isfinite(landmark_error).astype(np.float64),
        "identity_to_target": cosine(embedding, truth.target_embeddings),
        "identity_to_source": cosine(embedding, truth.source_embeddings),
        "ssim": ssim(images, truth.targets),
        "psnr": psnr(images, truth.targets),
        "source_likeness": to_target / np.maximum(to_target + to_source, 1e-9),
    }


def summarise(scores: Scores, clips: list[str]) -> dict[str, Any]:
    """Per metric the mean over clips, its 95 % interval by resampling clips, and each clip's mean; None: nothing to measure."""
    names = sorted(set(clips))
    members = [np.array([c == name for c in clips]) for name in names]
    picks = np.random.default_rng(68).integers(len(names), size=(_RESAMPLES, len(names)))
    card: dict[str, Any] = {}
    for metric, values in scores.items():
        by_clip = np.array([_mean(values[member]) for member in members])
        known = by_clip[np.isfinite(by_clip)]
        interval: list[float | None] = [None, None]
        if len(known):
            resampled = np.array([_mean(by_clip[pick]) for pick in picks])
            interval = [float(v) for v in np.nanquantile(resampled, [0.025, 0.975])]
        per_clip = {n: float(v) if np.isfinite(v) else None for n, v in zip(names, by_clip, strict=True)}
        card[metric] = {"mean": float(known.mean()) if len(known) else None, "interval": interval, "clips": per_clip}
    return card


def _mean(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")


def card_json(scores: Scores, clips: list[str]) -> str:
    """`summarise` as JSON text."""
    return json.dumps(summarise(scores, clips), indent=1)
