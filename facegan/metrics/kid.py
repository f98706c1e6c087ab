"""Kernel inception distance (Binkowski et al. 2018): unbiased squared maximum mean discrepancy of two sets of features."""

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32] | NDArray[np.float64]
"""[n, d]."""


def polynomial_kernel(x: Features, y: Features) -> NDArray[np.float64]:
    """[n, m]: (x . y / d + 1)^3 of x [n, d] and y [m, d]."""
    product = x.astype(np.float64) @ y.astype(np.float64).T
    return np.asarray((product / x.shape[1] + 1) ** 3, np.float64)


def kid(generated: Features, targets: Features) -> float:
    """The unbiased estimate over n pairs of a generated image and its target (Gretton et al. 2012, equation 4).

    1 / (n (n - 1)) sum over i != j of h_ij,  h_ij = k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i).

    An image is never compared with its own target, so the two sets may be paired. Equal sets give exactly 0, and frames of one
    clip have the same weight within the sets and across them. The estimate can be negative.
    """
    return float(kid_pseudo_values(generated, targets).mean())


def kid_pseudo_values(generated: Features, targets: Features) -> NDArray[np.float64]:
    """[n]: jackknife pseudo-values of the estimate U, one per pair: n U - (n - 1) U without the pair. Their mean is U.

    They turn a score of a set into one per pair, so that resampling clips gives an interval. Needs at least three pairs.
    """
    n = len(generated)
    assert generated.shape == targets.shape and n > 2, f"KID wants as many targets as images and more than two: {n}"
    across = polynomial_kernel(generated, targets)
    h = polynomial_kernel(generated, generated) + polynomial_kernel(targets, targets) - across - across.T
    np.fill_diagonal(h, 0.0)
    row = h.sum(axis=1) / (n - 1)
    return np.asarray((2 * (n - 1) * row - n * row.mean()) / (n - 2), np.float64)
