"""The U-Net of 2019: image and landmark maps in, image out; additive skips, instance norm without affine."""

import itertools
from typing import Literal

import torch
from torch import Tensor, nn

from facegan.config import ModelConfig
from facegan.landmarks.maps import map_channels
from facegan.nets.first_layer import FirstLayer
from facegan.nets.norm import NormLeaky

LEVELS = 4

Head = Literal["colour", "mask"]


class Residual(nn.Module):
    """x + conv(norm_act(conv(x))), the bottleneck."""

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
    """Images [batch, 3, size, size] in [-1, 1] and landmarks (maps or points, see FirstLayer) to images in [-1, 1].

    The head `colour` draws every pixel; `mask` (GANnotation, Sanchez and Valstar 2018) also says where to keep the source's.
    U-Net-64 is `width=64` with 68 maps: 31.5 M parameters, 11.1 GFLOP a 128-pixel image.
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
        # bfloat16 has fewer levels near 1 than an 8-bit image.
        out = self.last(x)
        out = out.to(torch.promote_types(out.dtype, torch.float32))
        colour = torch.tanh(out[:, :3])
        if self.head == "colour":
            return colour
        keep = torch.sigmoid(out[:, 3:])
        return keep * image + (1 - keep) * colour


def build_generator(model: ModelConfig) -> Generator:
    """The generator of a configuration, its weights from torch's random state."""
    return Generator(map_channels(model), model.generator_width, model.head, model.map_sigma)
