"""The training step as the 2019 code made it, a reference for jobs/bench/step.py; it computes the same losses as ours.

It is re-created from the study's description, not ported. Kept: one generator call per use, one discriminator call per image,
VGG-19 weights that collect gradients and a target branch that is differentiated too, landmark maps made on the CPU in float64
over the whole image, reading each term's value (which waits for the device), float32, eager mode. Its bugs are not kept.
"""

import itertools

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from facegan.config import Config
from facegan.data.reading.batch import Batch
from facegan.landmarks.points import POINTS
from facegan.nets.vgg import IDENTITY_LAYER, PERCEPTUAL_LAYERS, build_vgg

SLOPE = 0.2


def _norm(channels: int) -> list[nn.Module]:
    return [nn.InstanceNorm2d(channels), nn.LeakyReLU(SLOPE)]


class UNet(nn.Module):
    """The U-Net of 2019 in stock modules: source image and target maps in, image in [-1, 1] out."""

    def __init__(self, width: int) -> None:
        super().__init__()
        c = [width * 2**level for level in range(5)]
        self.first = nn.Sequential(nn.Conv2d(3 + POINTS, width, 5, padding=2), *_norm(width))
        self.down = nn.ModuleList(nn.Sequential(nn.Conv2d(a, b, 3, 2, 1), *_norm(b)) for a, b in itertools.pairwise(c))
        self.bottleneck = nn.Sequential(
            nn.Conv2d(c[4], c[4], 3, 1, 1), *_norm(c[4]), nn.Conv2d(c[4], c[4], 3, 1, 1), nn.InstanceNorm2d(c[4])
        )
        self.up = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(b, a, 3, 2, 1, 1), *_norm(a)) for a, b in zip(c[3::-1], c[4:0:-1], strict=True)
        )
        self.last = nn.Conv2d(width, 3, 7, padding=3)

    def forward(self, image: Tensor, maps: Tensor) -> Tensor:
        x = self.first(torch.cat([image, maps], dim=1))
        skips = []
        for block in self.down:
            skips.append(x)
            x = block(x)
        x = x + self.bottleneck(x)
        for block in self.up:
            x = block(x) + skips.pop()
        return torch.tanh(self.last(x))


class PatchGan(nn.Module):
    """The PatchGAN of 2019 in stock modules, with instance norm as in ours."""

    def __init__(self, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3 + POINTS, width, 4, 2, 1), nn.LeakyReLU(SLOPE)]
        for level, stride in enumerate((2, 2, 1)):
            b = width * 2 ** (level + 1)
            layers += [nn.Conv2d(b // 2, b, 4, stride, 1), *_norm(b)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width * 8, 1, 4, 1, 1))

    def forward(self, image: Tensor, maps: Tensor) -> Tensor:
        logits: Tensor = self.layers(torch.cat([image, maps], dim=1))
        return logits


class Step2019:
    """Networks, optimizers and one step of them. `terms` holds the unweighted values of the last step."""

    def __init__(self, config: Config, device: torch.device) -> None:
        assert config.model.maps == "points", "2019 drew points"
        assert config.model.head == "colour", "2019 drew every pixel"
        self.config, self.device = config, device
        torch.manual_seed(config.seed)
        self.generator = UNet(config.model.generator_width).to(device)
        self.discriminator = PatchGan(config.model.discriminator_width).to(device)
        self.vgg = build_vgg(config.vgg).to(device).requires_grad_(True)
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), lr=config.optim.generator_lr)
        self.discriminator_optimizer = torch.optim.SGD(self.discriminator.parameters(), lr=config.optim.discriminator_lr)
        self.terms: dict[str, float] = {}

    def __call__(self, batch: Batch) -> None:
        """One discriminator step, then one generator step."""
        size, device = batch.source.shape[-1], self.device
        source, target = ((x.to(device).float() / 127.5 - 1) for x in (batch.source, batch.target))
        points = (batch.source_points, batch.target_points, batch.third_points)
        source_maps, target_maps, third_maps = (
            torch.from_numpy(gaussian_maps(p.numpy(), size, self.config.model.map_sigma)).float().to(device) for p in points
        )
        generated = self.generator(source, target_maps)
        self._discriminator_step(generated.detach(), target, target_maps)
        detour = self.generator(source, third_maps)
        values = {
            "adversarial": F.softplus(-self.discriminator(generated, target_maps)).mean(),
            "pixel": (generated - target).square().mean(),
            "self_consistency": _l1_squared(self.generator(generated, source_maps), source),
            "triple_consistency": _l1_squared(self.generator(detour, target_maps), generated),
            **self._feature_terms(generated, target),
        }
        weights = self.config.loss.weights()
        loss = torch.stack([weights[term] * value for term, value in values.items()]).sum()
        self.generator_optimizer.zero_grad()
        loss.backward()
        self.generator_optimizer.step()
        self.terms |= {term: value.item() for term, value in values.items()}

    def _discriminator_step(self, generated: Tensor, target: Tensor, maps: Tensor) -> None:
        real, fake = self.discriminator(target, maps), self.discriminator(generated, maps)
        loss = (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2
        self.discriminator_optimizer.zero_grad()
        loss.backward()
        self.discriminator_optimizer.step()
        self.terms["discriminator"] = loss.item()

    def _feature_terms(self, generated: Tensor, target: Tensor) -> dict[str, Tensor]:
        layers = (*PERCEPTUAL_LAYERS, IDENTITY_LAYER)
        a, b = self.vgg(generated, layers), self.vgg(target, layers)
        perceptual = torch.stack([(a[k] - b[k]).abs().mean() for k in PERCEPTUAL_LAYERS]).sum()
        return {"perceptual": perceptual, "identity": (a[IDENTITY_LAYER] - b[IDENTITY_LAYER]).abs().mean()}


def _l1_squared(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).abs().flatten(1).mean(dim=1).square().mean()


def gaussian_maps(points: NDArray[np.float32], size: int, sigma: float) -> NDArray[np.float64]:
    """[batch, 68, size, size] in float64: each map evaluated over the whole image, a point at a time."""
    rows, columns = np.mgrid[:size, :size].astype(np.float64)
    maps = np.empty((*points.shape[:2], size, size))
    for place in np.ndindex(*points.shape[:2]):
        x, y = points[place]
        maps[place] = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    return maps
