"""The U-Net of 2019: image and landmark maps in, image out; additive skips, instance norm without affine."""

import itertools
from typing import Literal

import torch
from torch import Tensor, nn

LEVELS = 4

Head = Literal["colour", "mask"]


def _norm_act(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.InstanceNorm2d(channels), nn.LeakyReLU(0.2))


class Residual(nn.Module):
    """x + conv(norm_act(conv(x))), the bottleneck."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            _norm_act(channels),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


class Generator(nn.Module):
    """Images [batch, 3, size, size] in [-1, 1] and maps [batch, channels, size, size] to images in [-1, 1].

    The head `colour` draws every pixel; `mask` (GANnotation, Sanchez and Valstar 2018) also says where to keep the source's.
    U-Net-64 is `width=64` with 68 maps: 31.5 M parameters, 11.1 GFLOP a 128-pixel image.
    """

    def __init__(self, maps: int, width: int, head: Head) -> None:
        super().__init__()
        self.head = head
        channels = [width * 2**level for level in range(LEVELS + 1)]
        self.first = nn.Sequential(nn.Conv2d(3 + maps, width, 5, padding=2), _norm_act(width))
        self.down = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1), _norm_act(b)) for a, b in itertools.pairwise(channels)
        )
        self.bottleneck = Residual(channels[-1])
        self.up = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(b, a, 3, stride=2, padding=1, output_padding=1), _norm_act(a))
            for a, b in reversed(list(itertools.pairwise(channels)))
        )
        self.last = nn.Conv2d(width, 3 if head == "colour" else 4, 7, padding=3)

    def forward(self, image: Tensor, maps: Tensor) -> Tensor:
        x = self.first(torch.cat([image, maps], dim=1))
        skips = []
        for block in self.down:
            skips.append(x)
            x = block(x)
        x = self.bottleneck(x)
        for block in self.up:
            x = block(x) + skips.pop()
        out = self.last(x)
        colour = torch.tanh(out[:, :3])
        if self.head == "colour":
            return colour
        keep = torch.sigmoid(out[:, 3:])
        return keep * image + (1 - keep) * colour
