"""The score of a generator on held-out pairs during training: what candidates and the registered generator are chosen by.

The score is the distance from the ideal in the plane of `facegan.metrics.plane`, plus an image distance:

    sqrt((1 - following)^2 + max(0, 1 - identity)^2) + face error / face error of the source copied.

Less is better. The real target has 0 and a copy of the source 2, however good the copy's face error or identity alone may be.
A generator that follows and keeps half of the identity has about 0.5 plus its image distance. The image distance is the face
error because LPIPS needs a file of weights that a training run does not have.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.inference import Generate, Images
from facegan.metrics.evaluators import Evaluators
from facegan.metrics.faces import Faces, real_faces
from facegan.metrics.image_quality import face_error, face_masks
from facegan.metrics.pairs import choose_pairs, images_of, of_another_person
from facegan.metrics.plane import identity_kept, target_following

VALIDATION_FRAMES = "validation_frames.npz"
"""File of a study with the faces that the evaluators embed in the real validation frames, computed once."""

_PAIRS_PER_CLIP = 4
_PAIRS = 32
_WITH_IDENTITY = 8
"""Number of the pairs that are embedded. On a CPU an embedding takes about ten times as long as finding the landmarks."""


def selection_score(following: float, identity: float, image_distance: float) -> float:
    """The score in the module's formula; less is better. `image_distance` is 0 for the target and 1 for the source copied.

    A coordinate that could not be measured, NaN, counts as 0. That depends on the real frames alone, so it adds the same to all
    generators that are compared.
    """
    x, y = (value if np.isfinite(value) else 0.0 for value in (following, identity))
    return float(np.hypot(1 - x, max(0.0, 1 - y)) + image_distance)


class Validation:
    """Held-out pairs that are generated at each checkpoint: of validation clips, or of test clips if none are held out.

    `cache` is the file of the faces that the evaluators embed in the real frames, read if it exists and written otherwise.
    """

    def __init__(self, data: FaceData, config: Config, evaluators: Evaluators, cache: Path | None) -> None:
        self.part = "validation" if data.clips("validation", config.data.validation_fraction) else "test"
        self._evaluators = evaluators
        pairs = choose_pairs(data, self.part, config, _PAIRS_PER_CLIP)
        chosen = _evenly(len(pairs), _PAIRS)
        source, target = pairs.source[chosen], pairs.target[chosen]
        clips = [pairs.clip[i] for i in chosen]
        self.sources, self.targets = images_of(data, source), images_of(data, target)
        self.points = data.points[target]
        self._masks = face_masks(self.points, data.size)
        self._copied = float(face_error(self.sources, self.targets, self._masks).mean())
        self._source_found, self._target_found = (evaluators.landmarks.find(i) for i in (self.sources, self.targets))
        self._embedded = _evenly(len(source), _WITH_IDENTITY)
        target, third = target[self._embedded], pairs.third[chosen][self._embedded]
        other = of_another_person(data, target, [clips[i] for i in self._embedded], self.part)
        self._real: tuple[Faces, Faces, Faces] | None = None
        if other is not None:
            real = real_faces(data, np.concatenate([target, third, other]), evaluators, cache)
            self._real = real.of(target), real.of(third), real.of(other)

    def score(self, generate: Generate) -> tuple[dict[str, float], Images]:
        """The scores by their names, such as 'validation/selection_score', and the images [n, size, size, 3].

        A coordinate that no pair could be measured on has no entry.
        """
        images = generate(self.sources, self.points)
        error = float(face_error(images, self.targets, self._masks).mean())
        found = self._evaluators.landmarks.find(images)
        following = self._following(found)
        identity = self._identity(images, found)
        distance = error / max(self._copied, 1e-9)
        scores = {"face_error": error, "image_distance": distance, "target_following": following, "identity_kept": identity}
        scores["selection_score"] = selection_score(following, identity, distance)
        return {f"{self.part}/{name}": value for name, value in scores.items() if np.isfinite(value)}, images

    def _following(self, found: NDArray[np.float32]) -> float:
        """The ratio of sums over all pairs; NaN if the real frames allow none."""
        return _mean(target_following(found, self._source_found, self._target_found, ["all"] * len(found)))

    def _identity(self, images: Images, found: NDArray[np.float32]) -> float:
        """The same over the pairs that are embedded."""
        if self._real is None:
            return float("nan")
        chosen = self._embedded
        embeddings = self._evaluators.identity.embed(images[chosen], found[chosen])
        target, third, other = (faces.embeddings for faces in self._real)
        return _mean(identity_kept(embeddings, target, third, other, ["all"] * len(chosen)))


def _evenly(count: int, most: int) -> NDArray[np.int64]:
    """Positions of at most `most` of `count` things, evenly spread."""
    return np.linspace(0, count - 1, min(most, count)).round().astype(np.int64)


def _mean(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")
