"""Landmark scores that count an image without a face: area under the cumulative error curve, and failure rate."""

import numpy as np
from numpy.typing import NDArray

FAILURE = 0.08
"""Landmark error, over the distance of the outer eye corners, from which on an image counts as failed (as in 300-W)."""


def landmark_auc(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n]: each image's share of the area under the cumulative error curve up to 0.08; the mean over images is the area.

    The curve rises by 1/n at each error e, so an image adds the part of [0, 0.08] right of e: 1 - e / 0.08, and nothing
    where it failed or shows no face (NaN).
    """
    return np.nan_to_num(np.clip(1 - errors / FAILURE, 0, 1), nan=0.0)


def landmark_failure(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n]: 1 where the error is above 0.08 or no face was found (NaN), else 0."""
    return np.where(errors <= FAILURE, 0.0, 1.0)
