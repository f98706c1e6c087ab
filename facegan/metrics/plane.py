"""The plane of an ablation: how far an image follows the target, and how much it stays the person.

Both coordinates are anchored by real images. The real target is (1, 1), a copy of the source about (0, 1), another person in
the target's pose about (1, 0). So no image that ignores one of the two inputs scores well on both, which single scores allow:
a copy of the source has the best identity of all images that are not the target, and a blurred copy a better image quality
than the copy. Identity is compared with a third frame of the person: the target would be compared with itself otherwise, or a
copy with the source.

A coordinate is a ratio. The denominator of a single pair can be close to 0, so it is averaged over the pairs of a clip: the
mean of a clip's values is the ratio of the clip's sums.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facegan.inference import Images
from facegan.metrics.image_quality import checked
from facegan.metrics.landmark_scores import Points, eye_distances

Floats = NDArray[np.float64]

LEAST_MOTION = 0.02
"""Root mean square motion of a clip's landmarks, in eye distances, below which following is not measured."""
LEAST_SEPARATION = 0.01
"""Cosine between same and other person on a clip below which the identity evaluator cannot tell them apart there."""


def target_following(found: Points, source: Points, target: Points, groups: Sequence[str]) -> Floats:
    """[n]: how far the face went from where it is in the source, 0, to where it is in the target, 1; above 1 it went too far.

    All three are landmarks [n, 68, 2] found by the same evaluator: in the generated image, in the real source and in the real
    target. The value is the projection of (found - source) onto (target - source), over the mean squared length of the latter
    in the pair's group `groups` [n]. An image without a face, NaN in `found`, has 0. A pair is NaN where no face is found in a
    real frame, or where the landmarks of its group move by less than `LEAST_MOTION`. The evaluator's own error on the source is
    in both factors, so an image that is nearly the source has slightly more than 0.
    """
    start, end = source.astype(np.float64), target.astype(np.float64)
    scale = eye_distances(target)[:, None, None] * np.sqrt(found.shape[1])
    motion = (end - start) / scale
    moved = np.where(np.isfinite(found), found - start, 0.0) / scale
    return ratio_within((moved * motion).sum(axis=(1, 2)), np.square(motion).sum(axis=(1, 2)), groups, least=LEAST_MOTION**2)


def identity_kept(image: Floats, target: Floats, third: Floats, other: Floats, groups: Sequence[str]) -> Floats:
    """[n]: how much the face is the person's: 0 as another person in the target's pose, 1 as the real target.

    All are embeddings [n, d]: of the generated image, the real target, a third real frame of the person and another person's
    frame in the target's pose. With c(x) the cosine of x to the third frame, the value is (c(image) - c(other)) / (c(target) -
    c(other)), with the denominator averaged over the pair's group `groups` [n]. An image without a face, NaN in `image`, has 0.
    A pair is NaN where no face is found in a real frame, or where its group's denominator is below `LEAST_SEPARATION`.
    """
    to_other, to_target, to_image = (cosine(x, third) for x in (other, target, image))
    gained = np.where(np.isfinite(to_image), to_image - to_other, 0.0)
    return ratio_within(gained, to_target - to_other, groups, least=LEAST_SEPARATION)


def pixel_following(images: Images, sources: Images, targets: Images, masks: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """[n] twice: how far an image went from source, 0, to target, 1, in pixels, and how far it went elsewhere.

    With F, S and T the values inside the masks [n, size, size], following is x = <F - S, T - S> / |T - S|^2, and off the axis
    |F - S - x (T - S)| / |T - S|. NaN where source and target are equal.
    """
    inside = masks[..., None]
    moved = (checked(images).astype(np.float64) - sources) * inside
    motion = (checked(targets).astype(np.float64) - sources) * inside
    squares = np.square(motion).sum(axis=(1, 2, 3))
    squares = np.where(squares > 0, squares, np.nan)
    along = (moved * motion).sum(axis=(1, 2, 3)) / squares
    rest = np.square(moved - along[:, None, None, None] * motion).sum(axis=(1, 2, 3))
    return np.asarray(along, np.float64), np.asarray(np.sqrt(rest / squares), np.float64)


def ratio_within(numerators: Floats, denominators: Floats, groups: Sequence[str], least: float) -> Floats:
    """[n]: each numerator over the mean denominator of its group.

    NaN where the pair's denominator is NaN, and in groups whose mean is below `least`. Pairs that are NaN are left out of the
    mean, so that the mean of a group's values is the ratio of its sums.
    """
    known = np.isfinite(denominators) & np.isfinite(numerators)
    values = np.full(len(numerators), np.nan)
    labels = np.array(groups)
    for group in dict.fromkeys(groups):
        members = known & (labels == group)
        mean = float(denominators[members].mean()) if members.any() else 0.0
        if mean >= least:
            values[members] = numerators[members] / mean
    return values


def cosine(a: Floats, b: Floats) -> Floats:
    """[n]: cosine similarity of the rows of a [n, d] and b [n, d], in [-1, 1]; NaN where one of them is."""
    return np.asarray((a * b).sum(axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)), np.float64)
