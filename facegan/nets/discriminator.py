"""The PatchGAN of 2019: is each patch of an image real, given the landmark maps it should follow?"""

import torch
from torch import Tensor, nn


class Discriminator(nn.Module):
    """Images [batch, 3, size, size] in [-1, 1] and maps to logits [batch, 1, h, w]; receptive field 70 x 70 pixels."""

    def __init__(self, maps: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3 + maps, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for level, stride in enumerate((2, 2, 1)):
            a, b = width * 2**level, width * 2 ** (level + 1)
            layers += [nn.Conv2d(a, b, 4, stride=stride, padding=1), nn.InstanceNorm2d(b), nn.LeakyReLU(0.2)]
        layers.append(nn.Conv2d(width * 8, 1, 4, padding=1))
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor, maps: Tensor) -> Tensor:
        logits: Tensor = self.layers(torch.cat([image, maps], dim=1))
        return logits
