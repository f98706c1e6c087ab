"""The real frames of an evaluation: pairs and sequences of the test people, and what the evaluators see in them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.inference import Generate, Images
from facegan.metrics.evaluation_config import Sampling
from facegan.metrics.evaluators import Evaluators
from facegan.metrics.faces import Faces, real_faces
from facegan.metrics.pairs import FrameSequence, Pairs, choose_pairs, choose_sequences, images_of, of_another_person

REFERENCE_FRAMES = "reference_frames.npz"
"""File of a study with what the evaluators see in the real evaluation frames, computed once."""


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """The pairs and frame sequences to evaluate, with their real images and landmarks.

    Of the n pairs: `sources` and `targets` are images, the points [n, 68, 2] are in crop pixels, and the faces are what the
    evaluators see in the images. `other` are rows [n] of another person with the target's pose, or None if all test clips are
    of one person. Of each sequence: the landmarks [m, 68, 2] and the faces.
    """

    pairs: Pairs
    sequences: list[FrameSequence]
    sources: Images
    targets: Images
    source_points: NDArray[np.float32]
    target_points: NDArray[np.float32]
    source_faces: Faces
    target_faces: Faces
    third_faces: Faces
    other: NDArray[np.int64] | None
    other_faces: Faces | None
    sequence_points: list[NDArray[np.float32]]
    sequence_faces: list[Faces]


@dataclass(frozen=True, slots=True)
class GeneratedImages:
    """One image for the target of each pair, and the images for the frames of each sequence."""

    images: Images
    sequences: list[Images]


def prepare_evaluation_set(
    data: FaceData, evaluators: Evaluators, cache: Path | None, sampling: Sampling, only: str | None = None
) -> EvaluationSet:
    """The evaluation set of the test clips, or of the clip `only`.

    What the evaluators see in the real frames takes most of the time. It is read from the file `cache` if it exists and
    written there otherwise.
    """
    pairs = choose_pairs(data, "test", Config(), sampling.pairs_per_clip, only, sampling.large_pose_pairs)
    sequences = choose_sequences(data, pairs, sampling.sequence_frames)
    other = of_another_person(data, pairs.target, pairs.clip)
    rows = [
        pairs.source,
        pairs.target,
        pairs.third,
        *(sequence.rows for sequence in sequences),
        *([] if other is None else [other]),
    ]
    real = real_faces(data, np.concatenate(rows), evaluators, cache)
    return EvaluationSet(
        pairs=pairs,
        sequences=sequences,
        sources=images_of(data, pairs.source),
        targets=images_of(data, pairs.target),
        source_points=data.points[pairs.source],
        target_points=data.points[pairs.target],
        source_faces=real.of(pairs.source),
        target_faces=real.of(pairs.target),
        third_faces=real.of(pairs.third),
        other=other,
        other_faces=None if other is None else real.of(other),
        sequence_points=[data.points[sequence.rows] for sequence in sequences],
        sequence_faces=[real.of(sequence.rows) for sequence in sequences],
    )


def generate_all(generate: Generate, data: FaceData, evaluation_set: EvaluationSet) -> GeneratedImages:
    """The images that a generator makes for the pairs and the sequences; each sequence is made from one source image."""
    images = generate(evaluation_set.sources, evaluation_set.target_points)
    sequences = []
    for sequence, points in zip(evaluation_set.sequences, evaluation_set.sequence_points, strict=True):
        source = images_of(data, np.full(len(sequence.rows), sequence.source))
        sequences.append(generate(source, points) if len(sequence.rows) else source)
    return GeneratedImages(images, sequences)
