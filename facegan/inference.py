"""Drawing with a trained generator: 8-bit images and landmarks in pixels in, 8-bit images out."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from facegan.config import Config
from facegan.landmarks.maps import landmark_input
from facegan.nets.generator import Generator
from facegan.step import to_signed

Images = NDArray[np.uint8]
"""[n, size, size, 3] RGB."""

Draw = Callable[[Images, NDArray[np.float32]], Images]
"""From source images and target points [n, 68, 2] to images."""

_BATCH = 32


def image_generator(generator: Generator, config: Config, device: torch.device) -> Draw:
    """A function from source images and target points [n, 68, 2] to generated images, rounded to 8 bits."""

    @torch.no_grad()
    def draw(sources: Images, points: NDArray[np.float32]) -> Images:
        chunks = []
        for start in range(0, len(sources), _BATCH):
            image = torch.from_numpy(sources[start : start + _BATCH]).to(device).permute(0, 3, 1, 2)
            where = torch.from_numpy(points[start : start + _BATCH]).to(device)
            out = generator(to_signed(image), landmark_input(where, config.data.size, config.model))
            chunks.append(to_bytes(out))
        return np.concatenate(chunks)

    return draw


def to_bytes(images: torch.Tensor) -> Images:
    """[n, size, size, 3] of 8 bits of images [n, 3, size, size] in [-1, 1], which is what a generator's tanh gives."""
    signed = images.detach().float()
    low, high = float(signed.min()), float(signed.max())
    # A blend of two images in [-1, 1] can leave it by a rounding error.
    assert low >= -1.001 and high <= 1.001, f"generated images are in [{low:.3g}, {high:.3g}], not in [-1, 1]"
    return ((signed + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
