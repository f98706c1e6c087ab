"""The U-Net generator (Ronneberger et al. 2015) with additive skip connections, conditioned on landmarks."""

import itertools
from typing import Literal

import torch
from torch import Tensor, nn

from facegan.config import ModelConfig
from facegan.landmarks.maps import map_channels
from facegan.nets.first_layer import FirstLayer
from facegan.nets.norm import NormLeaky

LEVELS = 4
"""Number of downsampling steps."""

Head = Literal["colour", "mask"]


class Residual(nn.Module):
    """The bottleneck: x + norm(conv(act(norm(conv(x)))))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            NormLeaky(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


class Generator(nn.Module):
    """From images [batch, 3, size, size] in [-1, 1] and landmarks (see `FirstLayer`) to images in [-1, 1].

    The head `colour` generates every pixel; `mask` (GANnotation, Sanchez and Valstar 2018) also generates a mask of the pixels
    that are kept from the source. `width` is the number of channels of the first layer: U-Net-64 has `width=64` and 68 maps,
    which are 31.5 M parameters and 11.1 GFLOP per image of 128 pixels.
    """

    def __init__(self, maps: int, width: int, head: Head, sigma: float) -> None:
        super().__init__()
        self.head = head
        channels = [width * 2**level for level in range(LEVELS + 1)]
        self.first = FirstLayer(maps, width, 5, stride=1, padding=2, sigma=sigma)
        self.norm = NormLeaky()
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), NormLeaky()) for a, b in itertools.pairwise(channels)
        )
        self.bottleneck = Residual(channels[-1])
        self.up = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(b, a, 3, stride=2, padding=1, output_padding=1), NormLeaky())
            for a, b in reversed(list(itertools.pairwise(channels)))
        )
        self.last = nn.Conv2d(width, 3 if head == "colour" else 4, 7, padding=3)

    def forward(self, image: Tensor, landmarks: Tensor) -> Tensor:
        x = self.norm(self.first(image, landmarks))
        skips = []
        for block in self.down:
            skips.append(x)
            x = block(x)
        x = self.bottleneck(x)
        for block in self.up:
            x = block(x) + skips.pop()
        out = self.last(x)
        # bfloat16 has fewer values near 1 than an 8-bit image.
        out = out.float() if out.dtype == torch.bfloat16 else out
        if self.head == "colour":
            return torch.tanh(out)
        colour, mask = out.split([3, 1], dim=1)
        return torch.lerp(torch.tanh(colour), image, torch.sigmoid(mask))


def build_generator(model: ModelConfig) -> Generator:
    """The generator of a configuration, with random weights from torch's global generator."""
    return Generator(map_channels(model), model.generator_width, model.head, model.map_sigma)
