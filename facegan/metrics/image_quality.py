"""Image quality of generated faces against their targets. Images are uint8 [n, size, size, 3]; other types are refused."""

import cv2
import numpy as np
from numpy.typing import NDArray

from facegan.inference import Images

_WINDOW, _SIGMA = 11, 1.5
"""Side and width of the Gaussian window of SSIM, pixels."""
_STABILISERS = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def ssim(images: Images, targets: Images) -> NDArray[np.float64]:
    """[n]: structural similarity, equation 13 of Wang et al. (2004), IEEE TIP 13, 600-612, in [-1, 1]; 1 is equal.

    The mean over the colours and over the windows that lie wholly inside of the image, as in the authors' code and in
    scikit-image. The window is separable: two passes of 11 values, a hundredth of the time of torchmetrics' 11 x 11.
    """
    pairs = zip(checked(images).astype(np.float64), checked(targets).astype(np.float64), strict=True)
    return np.array([_similarity(image, target) for image, target in pairs], np.float64)


def _similarity(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    mean_a, mean_b, square_a, square_b, product = (_windowed(x) for x in (a, b, a * a, b * b, a * b))
    (c1, c2), means = _STABILISERS, mean_a * mean_b
    variances, covariance = square_a - mean_a**2 + square_b - mean_b**2, product - means
    index = (2 * means + c1) * (2 * covariance + c2) / ((mean_a**2 + mean_b**2 + c1) * (variances + c2))
    return float(index.mean())


def _windowed(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted means in all windows that lie inside of an image [size, size, 3]."""
    border = _WINDOW // 2
    return np.asarray(cv2.GaussianBlur(image, (_WINDOW, _WINDOW), _SIGMA)[border:-border, border:-border], np.float64)


def psnr(images: Images, targets: Images) -> NDArray[np.float64]:
    """[n]: peak signal-to-noise ratio in dB. For equal images, an error of one grey level in a single value is assumed."""
    difference = checked(images).astype(np.float64) - checked(targets)
    error = np.maximum(np.square(difference).mean(axis=(1, 2, 3)), 1 / difference[0].size)
    return np.asarray(10 * np.log10(255**2 / error), np.float64)


def face_masks(points: NDArray[np.float32], size: int) -> NDArray[np.bool_]:
    """[n, size, size]: True inside the convex hull of the landmarks [n, 68, 2], given in pixels."""
    masks = np.zeros((len(points), size, size), np.uint8)
    for mask, face in zip(masks, points, strict=True):
        cv2.fillConvexPoly(mask, cv2.convexHull(np.round(face).astype(np.int32)), [1])
    return masks.astype(bool)


def face_error(images: Images, targets: Images, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """[n]: mean absolute difference inside the masks [n, size, size], in grey levels, [0, 255]."""
    difference = np.abs(checked(images).astype(np.float64) - checked(targets)).mean(axis=-1)
    return np.asarray((difference * masks).sum(axis=(1, 2)) / np.maximum(masks.sum(axis=(1, 2)), 1), np.float64)


def checked(images: Images) -> Images:
    """The same images. Raises AssertionError unless they are uint8 [n, size, size, 3]; floats in any range are refused."""
    assert images.dtype == np.uint8 and images.ndim == 4 and images.shape[-1] == 3, (images.dtype, images.shape)
    return images
