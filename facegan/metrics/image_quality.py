"""Image quality of generated faces against their targets. Images are uint8 [n, size, size, 3]; other types are refused."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics.functional.image import structural_similarity_index_measure

from facegan.inference import Images

_SSIM_BORDER = 5
"""Half of the window of SSIM, pixels: windows about pixels closer to the border reach outside."""


def ssim(images: Images, targets: Images) -> NDArray[np.float64]:
    """[n]: structural similarity (Wang et al. 2004) with an 11-pixel Gaussian window of sigma 1.5, in [-1, 1]; 1 is equal.

    The mean over the colours and over the windows that lie wholly inside of the image, as in the authors' code and in
    scikit-image. torchmetrics alone also counts windows over a mirrored border.
    """
    a, b = (torch.from_numpy(checked(x)).permute(0, 3, 1, 2).double() for x in (images, targets))
    found = structural_similarity_index_measure(a, b, data_range=255.0, reduction="none", return_full_image=True)
    assert isinstance(found, tuple)
    inside = slice(_SSIM_BORDER, -_SSIM_BORDER)
    return np.asarray(found[1][:, :, inside, inside].mean(dim=(1, 2, 3)).numpy(), np.float64)


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
