"""Inference with a trained generator: 8-bit images and landmarks in pixels in, 8-bit images out."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from facegan.config import Config
from facegan.data.reading.batch import to_signed
from facegan.landmarks.maps import landmark_input
from facegan.nets.generator import Generator

Images = NDArray[np.uint8]
"""[n, size, size, 3] RGB."""

Generate = Callable[[Images, NDArray[np.float32]], Images]
"""From source images and target landmarks [n, 68, 2] in pixels to generated images."""

_BATCH = 32


def image_generator(generator: Generator, config: Config, device: torch.device) -> Generate:
    """A function that maps source images and target landmarks [n, 68, 2] to generated images, in batches of 32."""

    @torch.no_grad()
    def generate(sources: Images, points: NDArray[np.float32]) -> Images:
        chunks = []
        for start in range(0, len(sources), _BATCH):
            image = torch.from_numpy(sources[start : start + _BATCH]).to(device).permute(0, 3, 1, 2)
            landmarks = torch.from_numpy(points[start : start + _BATCH]).to(device)
            out = generator(to_signed(image), landmark_input(landmarks, config.data.size, config.model))
            chunks.append(to_bytes(out))
        return np.concatenate(chunks)

    return generate


def to_bytes(images: torch.Tensor) -> Images:
    """Images [n, 3, size, size] in [-1, 1] as [n, size, size, 3] of 8 bits, rounded."""
    signed = images.detach().float()
    low, high = float(signed.min()), float(signed.max())
    # A blend of two images in [-1, 1] can leave it by a rounding error.
    assert low >= -1.001 and high <= 1.001, f"generated images are in [{low:.3g}, {high:.3g}], not in [-1, 1]"
    return ((signed + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
