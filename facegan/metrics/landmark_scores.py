"""Errors of the landmarks found in generated images against the wanted ones. A row of NaN means that no face was found.

The mean of `normalised_error` is over found faces only, so read it together with the share of found faces.
`area_under_curve` and `failed` count every image.
"""

import numpy as np
from numpy.typing import NDArray

from facegan.landmarks.points import EYE_CORNERS, POINTS

Points = NDArray[np.float32]
"""[n, 68, 2] in pixels."""

THRESHOLD = 0.08
"""Normalised error above which an alignment has failed (Sagonas et al. 2016, 300-W)."""


def eye_distances(points: Points) -> NDArray[np.float64]:
    """[n]: distance of the outer eye corners in pixels, at least 1e-6."""
    left, right = (points[:, corner].astype(np.float64) for corner in EYE_CORNERS)
    return np.asarray(np.maximum(np.linalg.norm(left - right, axis=1), 1e-6), np.float64)


def normalised_error(found: Points, wanted: Points) -> NDArray[np.float64]:
    """[n]: mean distance of found to wanted points [n, 68, 2] over the wanted eye distance; NaN where no face was found."""
    _check(found, wanted)
    distance = np.linalg.norm(found.astype(np.float64) - wanted, axis=2).mean(axis=1)
    return np.asarray(distance / eye_distances(wanted), np.float64)


def area_under_curve(error: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n]: contribution of each image to the area under the cumulative error curve up to 0.08; the mean is the area, in [0, 1].

    The curve is the share of images with an error of at most t. Its area over [0, T], divided by T, is the mean of
    max(0, 1 - error / T). An image without a face contributes 0.
    """
    return np.where(np.isfinite(error), np.maximum(0.0, 1 - error / THRESHOLD), 0.0)


def failed(error: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n]: 1 where the error is above 0.08 or no face was found, else 0."""
    return np.asarray(~(error <= THRESHOLD), np.float64)


def landmark_jitter(found: Points, wanted: Points) -> float:
    """Mean change of the error vectors (found - wanted) between consecutive frames [n, 68, 2], divided by the eye distance.

    A constant error is no jitter, nor is the wanted motion. Changes from or to a frame without a face are left out; NaN if
    none is left.
    """
    _check(found, wanted)
    change = np.diff(found.astype(np.float64) - wanted, axis=0)
    each = np.linalg.norm(change, axis=2).mean(axis=1) / eye_distances(wanted)[1:]
    known = each[np.isfinite(each)]
    return float(known.mean()) if len(known) else float("nan")


def identity_jitter(embeddings: NDArray[np.float64]) -> float:
    """Mean of 1 - cosine between the embeddings [n, d] of consecutive frames.

    Changes from or to a frame without a face, NaN, are left out; NaN if none is left.
    """
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    each = 1 - (unit[1:] * unit[:-1]).sum(axis=1)
    known = each[np.isfinite(each)]
    return float(known.mean()) if len(known) else float("nan")


def _check(found: Points, wanted: Points) -> None:
    assert found.shape == wanted.shape and found.shape[1:] == (POINTS, 2), (found.shape, wanted.shape)
    assert np.isfinite(wanted).all(), "wanted landmarks are always known"
