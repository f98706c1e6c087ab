"""Measure every metric of generated images, and of the reference rows, on the test people of a data set."""

import numpy as np
from numpy.typing import NDArray

from facegan.data.reading.face_data import FaceData
from facegan.inference import Images
from facegan.metrics.card import LARGE_POSE, Scores
from facegan.metrics.evaluation_set import EvaluationSet, GeneratedImages
from facegan.metrics.evaluators import Evaluators
from facegan.metrics.faces import Faces, look_at_each
from facegan.metrics.image_quality import face_error, face_masks, psnr, ssim
from facegan.metrics.landmark_scores import area_under_curve, failed, identity_jitter, landmark_jitter, normalised_error
from facegan.metrics.pairs import images_of
from facegan.metrics.plane import cosine, identity_kept, pixel_following, target_following
from facegan.metrics.warp import warped


def measure(generated: GeneratedImages, evaluation_set: EvaluationSet, evaluators: Evaluators) -> Scores:
    """[n] values per pair of every metric of images that the evaluators can measure.

    Also Inception's features, which `with_kid` turns into KID, and which pairs are of a large change of pose.
    """
    faces, *in_sequences = look_at_each([generated.images, *generated.sequences], evaluators)
    return _measure_pairs(generated.images, faces, evaluation_set, evaluators) | _measure_sequences(
        in_sequences, evaluation_set
    )


def measure_references(data: FaceData, evaluation_set: EvaluationSet, evaluators: Evaluators) -> dict[str, Scores]:
    """The same metrics of images whose quality is known, by the name of their row in tables.

    `real target`: the target itself; its landmark scores are the error of the landmark evaluator. `source copied`: the source
    image, unchanged. `source warped`: the source warped to the target landmarks, without a network. `another person`: another
    person's frame of the same pose; it has no jitter, since such frames are not consecutive, and is left out if all test clips
    are of one person.
    """
    real, known = evaluation_set, _measure_pairs
    sources = [_repeated_source(sequence.source, real, len(sequence.rows)) for sequence in real.sequences]
    rows = {
        "real target": known(real.targets, real.target_faces, real, evaluators) | _measure_sequences(real.sequence_faces, real),
        "source copied": known(real.sources, real.source_faces, real, evaluators) | _measure_sequences(sources, real),
        "source warped": measure(warp_all(data, real), real, evaluators),
    }
    if real.other is not None and real.other_faces is not None:
        rows["another person"] = known(images_of(data, real.other), real.other_faces, real, evaluators)
    return rows


def warp_all(data: FaceData, evaluation_set: EvaluationSet) -> GeneratedImages:
    """The sources of the pairs and of the sequences, warped to the target landmarks."""
    images = warped(evaluation_set.sources, evaluation_set.source_points, evaluation_set.target_points)
    sequences = []
    for sequence, points in zip(evaluation_set.sequences, evaluation_set.sequence_points, strict=True):
        rows = np.full(len(sequence.rows), sequence.source)
        sequences.append(warped(images_of(data, rows), data.points[rows], points))
    return GeneratedImages(images, sequences)


def _repeated_source(row: int, evaluation_set: EvaluationSet, count: int) -> Faces:
    """The face of a source, once for each frame of a sequence; every sequence's source is that of a pair."""
    position = int(np.flatnonzero(evaluation_set.pairs.source == row)[0])
    return evaluation_set.source_faces.at(np.full(count, position))


def _measure_pairs(images: Images, faces: Faces, evaluation_set: EvaluationSet, evaluators: Evaluators) -> Scores:
    real, size = evaluation_set, images.shape[1]
    masks = face_masks(real.target_points, size)
    to_target, to_source = (face_error(images, others, masks) for others in (real.targets, real.sources))
    landmark_error = normalised_error(faces.found, real.target_points)
    following, off_axis = pixel_following(images, real.sources, real.targets, masks | face_masks(real.source_points, size))
    scores = _measure_plane(faces, real) | {
        "face_error": to_target,
        "landmark_error": landmark_error,
        "landmark_auc": area_under_curve(landmark_error),
        "landmark_failure": failed(landmark_error),
        "faces_found": np.isfinite(landmark_error).astype(np.float64),
        "pixel_following": following,
        "off_axis": off_axis,
        "identity_to_target": cosine(faces.embeddings, real.target_faces.embeddings),
        "identity_to_source": cosine(faces.embeddings, real.source_faces.embeddings),
        "ssim": ssim(images, real.targets),
        "psnr": psnr(images, real.targets),
        "source_likeness": to_target / np.maximum(to_target + to_source, 1e-9),
        LARGE_POSE: real.pairs.large_pose.astype(np.float64),
    }
    for network in evaluators.pair_networks.values():
        scores |= network.measure(images, real.targets)
    return scores


def _measure_plane(faces: Faces, real: EvaluationSet) -> Scores:
    """The two coordinates of each pair, and 1 where a coordinate could be measured, else 0."""
    groups, source, target = real.pairs.groups(), real.source_faces, real.target_faces
    scores = {"target_following": target_following(faces.found, source.found, target.found, groups)}
    scores["following_measured"] = _is_known(scores["target_following"])
    if real.other_faces is not None:
        scores["identity_kept"] = identity_kept(
            faces.embeddings, target.embeddings, real.third_faces.embeddings, real.other_faces.embeddings, groups
        )
        scores["identity_measured"] = _is_known(scores["identity_kept"])
    return scores


def _is_known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.isfinite(values).astype(np.float64)


def _measure_sequences(faces: list[Faces], evaluation_set: EvaluationSet) -> Scores:
    """The jitter of each clip's sequence, repeated for each of its pairs; `faces` are those of each sequence's images."""
    jitter = {}
    for sequence, points, seen in zip(evaluation_set.sequences, evaluation_set.sequence_points, faces, strict=True):
        jitter[sequence.clip] = (identity_jitter(seen.embeddings), landmark_jitter(seen.found, points))
    values = np.array([jitter[clip] for clip in evaluation_set.pairs.clip], np.float64)
    return {"identity_jitter": values[:, 0], "landmark_jitter": values[:, 1]}
