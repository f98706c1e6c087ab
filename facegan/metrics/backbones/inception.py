"""Inception v3 (Szegedy et al. 2015) as TensorFlow's FID uses it: the feature space of KID.

The modules have torchvision's names, so the public file pt_inception-2015-12-05-6726825d.pth loads. There are two differences
from torchvision's network: average pooling does not count the padding, and the last block pools by maximum.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from facegan.files import file_sha256
from facegan.inference import Images
from facegan.metrics.backbones.weights import load_tensors
from facegan.metrics.card import GENERATED, TARGETS
from facegan.metrics.image_quality import checked

DIMENSIONS = 2_048
_SIDE = 299
_BATCH = 8

Size = int | tuple[int, int]


class _Unit(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, channels: int, out: int, kernel: Size, stride: int = 1, padding: Size = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


def _average(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class _A(nn.Module):
    def __init__(self, channels: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = _Unit(channels, 64, 1)
        self.branch5x5_1, self.branch5x5_2 = _Unit(channels, 48, 1), _Unit(48, 64, 5, padding=2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = _Unit(channels, 64, 1), _Unit(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = _Unit(96, 96, 3, padding=1)
        self.branch_pool = _Unit(channels, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, three, self.branch_pool(_average(x))], dim=1)


class _B(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch3x3 = _Unit(channels, 384, 3, stride=2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = _Unit(channels, 64, 1), _Unit(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = _Unit(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), three, functional.max_pool2d(x, 3, stride=2)], dim=1)


class _C(nn.Module):
    def __init__(self, inner: int) -> None:
        super().__init__()
        wide, high = (1, 7), (7, 1)
        across, down = (0, 3), (3, 0)
        self.branch1x1 = _Unit(768, 192, 1)
        self.branch7x7_1, self.branch7x7_2 = _Unit(768, inner, 1), _Unit(inner, inner, wide, padding=across)
        self.branch7x7_3 = _Unit(inner, 192, high, padding=down)
        self.branch7x7dbl_1, self.branch7x7dbl_2 = _Unit(768, inner, 1), _Unit(inner, inner, high, padding=down)
        self.branch7x7dbl_3 = _Unit(inner, inner, wide, padding=across)
        self.branch7x7dbl_4 = _Unit(inner, inner, high, padding=down)
        self.branch7x7dbl_5 = _Unit(inner, 192, wide, padding=across)
        self.branch_pool = _Unit(768, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        once = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        twice = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        twice = self.branch7x7dbl_5(self.branch7x7dbl_4(twice))
        return torch.cat([self.branch1x1(x), once, twice, self.branch_pool(_average(x))], dim=1)


class _D(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = _Unit(768, 192, 1), _Unit(192, 320, 3, stride=2)
        self.branch7x7x3_1 = _Unit(768, 192, 1)
        self.branch7x7x3_2, self.branch7x7x3_3 = (
            _Unit(192, 192, (1, 7), padding=(0, 3)),
            _Unit(192, 192, (7, 1), padding=(3, 0)),
        )
        self.branch7x7x3_4 = _Unit(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([self.branch3x3_2(self.branch3x3_1(x)), seven, functional.max_pool2d(x, 3, stride=2)], dim=1)


def _wide() -> _Unit:
    return _Unit(384, 384, (1, 3), padding=(0, 1))


def _high() -> _Unit:
    return _Unit(384, 384, (3, 1), padding=(1, 0))


class _E(nn.Module):
    def __init__(self, channels: int, *, last: bool) -> None:
        super().__init__()
        self.last = last
        self.branch1x1 = _Unit(channels, 320, 1)
        self.branch3x3_1 = _Unit(channels, 384, 1)
        self.branch3x3_2a, self.branch3x3_2b = _wide(), _high()
        self.branch3x3dbl_1, self.branch3x3dbl_2 = _Unit(channels, 448, 1), _Unit(448, 384, 3, padding=1)
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = _wide(), _high()
        self.branch_pool = _Unit(channels, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        once, twice = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        parts = [self.branch3x3_2a(once), self.branch3x3_2b(once), self.branch3x3dbl_3a(twice), self.branch3x3dbl_3b(twice)]
        pooled = functional.max_pool2d(x, 3, stride=1, padding=1) if self.last else _average(x)
        return torch.cat([self.branch1x1(x), *parts, self.branch_pool(pooled)], dim=1)


class Inception(nn.Module):
    """Features [n, 2048] of images [n, 3, 299, 299] in [-1, 1]; frozen. `sha256` is the file's."""

    def __init__(self) -> None:
        super().__init__()
        self.sha256 = ""
        self.Conv2d_1a_3x3, self.Conv2d_2a_3x3 = _Unit(3, 32, 3, stride=2), _Unit(32, 32, 3)
        self.Conv2d_2b_3x3 = _Unit(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1, self.Conv2d_4a_3x3 = _Unit(64, 80, 1), _Unit(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _A(192, 32), _A(256, 64), _A(288, 64)
        self.Mixed_6a = _B(288)
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = _C(128), _C(160), _C(160), _C(192)
        self.Mixed_7a = _D()
        self.Mixed_7b, self.Mixed_7c = _E(1_280, last=False), _E(2_048, last=True)
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> Tensor:
        for name, layer in self.named_children():
            x = layer(x)
            if name in ("Conv2d_2b_3x3", "Conv2d_4a_3x3"):
                x = functional.max_pool2d(x, 3, stride=2)
        return x.mean(dim=(2, 3))

    def measure(self, images: Images, targets: Images) -> dict[str, NDArray[np.float64]]:
        """Features [n, 2048] of 8-bit images and of their targets, from which KID is computed once all clips are measured."""
        return {
            GENERATED: inception_features(self, images).astype(np.float64),
            TARGETS: inception_features(self, targets).astype(np.float64),
        }


def build_inception(file: Path, flag: str) -> Inception:
    """The network with the weights of a file. Raises UserError, which names the flag, if the file does not hold them."""
    network = Inception()
    # Some files have the step counters of batch norm and some do not; nothing depends on them.
    wanted = {name: tensor for name, tensor in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    network.load_state_dict(load_tensors(file, wanted, flag), strict=False)
    network.sha256 = file_sha256(file)
    return network


@torch.no_grad()
def inception_features(network: Inception, images: Images) -> NDArray[np.float32]:
    """[n, 2048]: features of 8-bit images [n, size, size, 3], resized bilinearly to 299 pixels as in pytorch-fid."""
    device = next(network.parameters()).device
    chunks = []
    for start in range(0, len(images), _BATCH):
        x = torch.from_numpy(checked(images[start : start + _BATCH])).to(device).permute(0, 3, 1, 2).float() / 255
        x = functional.interpolate(x, (_SIDE, _SIDE), mode="bilinear", align_corners=False)
        chunks.append(network(2 * x - 1).cpu().numpy())
    return np.concatenate(chunks)
