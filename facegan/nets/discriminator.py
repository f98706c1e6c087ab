"""The PatchGAN discriminator (Isola et al. 2017), conditioned on landmarks: is each patch of an image real?"""

from torch import Tensor, nn

from facegan.config import ModelConfig
from facegan.landmarks.maps import map_channels
from facegan.nets.first_layer import FirstLayer
from facegan.nets.norm import SLOPE, NormLeaky


class Discriminator(nn.Module):
    """From images [batch, 3, size, size] in [-1, 1] and landmarks (see `FirstLayer`) to one logit per patch, [batch, 1, h, w].

    The receptive field of a logit is 70 x 70 pixels. `width` is the number of channels of the first layer, `sigma` the width of
    a landmark in pixels.
    """

    def __init__(self, maps: int, width: int, sigma: float) -> None:
        super().__init__()
        self.first = FirstLayer(maps, width, 4, stride=2, padding=1, sigma=sigma)
        layers: list[nn.Module] = [nn.LeakyReLU(SLOPE, inplace=True)]
        for level, stride in enumerate((2, 2, 1)):
            a, b = width * 2**level, width * 2 ** (level + 1)
            layers += [nn.Conv2d(a, b, 4, stride=stride, padding=1), NormLeaky()]
        layers.append(nn.Conv2d(width * 8, 1, 4, padding=1))
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor, landmarks: Tensor) -> Tensor:
        logits: Tensor = self.layers(self.first(image, landmarks))
        return logits


def build_discriminator(model: ModelConfig) -> Discriminator:
    """The discriminator of a configuration, with random weights from torch's global generator."""
    return Discriminator(map_channels(model), model.discriminator_width, model.map_sigma)
