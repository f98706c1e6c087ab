"""The frozen convolutions of VGG-19 (Simonyan and Zisserman 2015), the features of the perceptual, identity and style terms.

The parameters have torchvision's names (`features.0.weight`, ...), so its public weights load.
"""

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

from facegan.config import VggConfig
from facegan.errors import UserError
from facegan.nets.vgg_weights import weights_file

PERCEPTUAL_LAYERS = (3, 8, 15, 24)
"""relu1_2, relu2_2, relu3_3 and relu4_3 as positions in `features`."""
IDENTITY_LAYER = 13
"""relu3_2."""

_BLOCKS = ((1, 2), (2, 2), (4, 4), (8, 4))
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


class Vgg19(nn.Module):
    """Activations of VGG-19 up to relu4_3. `width` is the number of channels of the first layer, 64 in the public network."""

    scale: Tensor
    shift: Tensor

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for factor, convolutions in _BLOCKS:
            for _ in range(convolutions):
                layers += [nn.Conv2d(channels, factor * width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = factor * width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers[: PERCEPTUAL_LAYERS[-1] + 1])
        # From [-1, 1] to [0, 1], minus the mean, over the standard deviation: one product and one sum.
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (_MEAN, _STD))
        self.register_buffer("scale", 0.5 / std, persistent=False)
        self.register_buffer("shift", (0.5 - mean) / std, persistent=False)

    def forward(self, image: Tensor, layers: tuple[int, ...]) -> dict[int, Tensor]:
        """The activations [batch, c, h, w] at positions in `features`, of images [batch, 3, size, size] in [-1, 1]."""
        dtype = next(self.features.parameters()).dtype
        x = torch.addcmul(self.shift, image, self.scale).to(dtype, memory_format=torch.channels_last)
        taken: dict[int, Tensor] = {}
        for position in range(max(layers) + 1):
            x = self.features[position](x)
            if position in layers:
                taken[position] = x
        return taken


def build_vgg(config: VggConfig) -> Vgg19:
    """The frozen network of a configuration. Raises UserError if the weights are missing or damaged."""
    vgg = Vgg19(config.width)
    if config.weights == "random":
        _randomise(vgg, config.seed)
    else:
        _load(vgg, weights_file(config))
    return vgg.requires_grad_(False).eval()


def _randomise(vgg: Vgg19, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for layer in vgg.features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)


def _load(vgg: Vgg19, path: Path) -> None:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        wanted = vgg.state_dict()
        vgg.load_state_dict({name: state[name] for name in wanted})
    except (pickle.UnpicklingError, KeyError, RuntimeError, TypeError, ValueError, EOFError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"vgg.weights: {path} does not hold VGG-19's weights ({reason})") from None
