"""LPIPS with AlexNet (Zhang et al. 2018, version 0.1): a perceptual distance of two images.

The network has torchvision's parameter names (`features.0.weight`, ...), so the public file alexnet-owt-7be5be79.pth loads. The
linear heads (`lin0.model.1.weight`, ...) are those of the authors; torchmetrics contains a copy.
"""

import importlib.util
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facegan.files import file_sha256
from facegan.inference import Images
from facegan.metrics.backbones.weights import load_tensors
from facegan.metrics.image_quality import checked

LAYERS = (1, 4, 7, 9, 11)
"""Positions in `features` of the five activations (ReLU) that are compared."""
CHANNELS = (64, 192, 384, 256, 256)

HEADS_SHA256 = "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0"

# Of the authors: mean and standard deviation of ImageNet for images in [-1, 1].
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_BATCH = 16


class Lpips(nn.Module):
    """LPIPS of images in [-1, 1], frozen. `sha256` is the hash of the AlexNet file."""

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.sha256 = ""
        self.features = nn.Sequential(
            *(nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
            *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
            *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()),
        )
        self.heads = nn.ParameterList([nn.Parameter(torch.ones(1, c, 1, 1)) for c in CHANNELS])
        self.register_buffer("shift", torch.tensor(_SHIFT).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(_SCALE).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False).eval()

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """[n]: distance of images [n, 3, height, width] in [-1, 1]; 0 is equal. Raises AssertionError for other ranges."""
        return self.distance(check_signed(a), check_signed(b))

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """The same without the check of the range."""
        x, y = ((image - self.shift) / self.scale for image in (a, b))
        total = torch.zeros(len(x), device=x.device)
        for position, layer in enumerate(self.features):
            x, y = layer(x), layer(y)
            if position in LAYERS:
                head = self.heads[LAYERS.index(position)]
                total = total + ((unit(x) - unit(y)).square() * head).sum(dim=1).mean(dim=(1, 2))
        return total

    def measure(self, images: Images, targets: Images) -> dict[str, NDArray[np.float64]]:
        """`lpips` [n] of 8-bit images and their targets."""
        return {"lpips": lpips_distance(self, images, targets)}


def unit(features: Tensor) -> Tensor:
    """Features [n, channels, height, width] with the vector of each pixel scaled to length 1."""
    return features / (features.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)


def check_signed(images: Tensor) -> Tensor:
    """The same images. Raises AssertionError unless they are floats [n, 3, height, width] in [-1, 1].

    Images without a single value below 0 are refused too: they are in [0, 1].
    """
    low, high = float(images.min()), float(images.max())
    assert images.is_floating_point() and images.dim() == 4 and images.shape[1] == 3, (images.dtype, images.shape)
    assert low >= -1 and high <= 1, f"images in [-1, 1] are wanted, these are in [{low:.3g}, {high:.3g}]"
    assert low < 0, f"images in [-1, 1] are wanted, these are in [{low:.3g}, {high:.3g}]: [0, 1] is another range"
    return images


def build_lpips(file: Path, flag: str) -> Lpips:
    """The network with AlexNet's weights from a file and the authors' heads.

    Raises UserError, which names the flag, if the file does not hold the weights.
    """
    lpips = Lpips()
    wanted = {name: tensor for name, tensor in lpips.state_dict().items() if name.startswith("features.")}
    heads = load_tensors(heads_file(), {f"lin{i}.model.1.weight": head for i, head in enumerate(lpips.heads)}, "LPIPS's heads")
    tensors = load_tensors(file, wanted, flag)
    lpips.load_state_dict(tensors | {f"heads.{i}": head for i, head in enumerate(heads.values())})
    lpips.sha256 = file_sha256(file)
    return lpips


def heads_file() -> Path:
    """The copy of the authors' alex.pth in torchmetrics. Its hash is checked."""
    spec = importlib.util.find_spec("torchmetrics")
    assert spec is not None and spec.origin is not None, "torchmetrics is not installed"
    path = Path(spec.origin).parent / "functional" / "image" / "lpips_models" / "alex.pth"
    assert file_sha256(path) == HEADS_SHA256, f"{path} is not version 0.1 of LPIPS's heads"
    return path


@torch.no_grad()
def lpips_distance(network: Lpips, images: Images, targets: Images) -> NDArray[np.float64]:
    """[n]: LPIPS of 8-bit images and their targets."""
    device = next(network.parameters()).device
    chunks = []
    for start in range(0, len(images), _BATCH):
        a, b = (_signed(x[start : start + _BATCH]).to(device) for x in (images, targets))
        chunks.append(network.distance(a, b).cpu().double().numpy())
    return np.concatenate(chunks)


def _signed(images: Images) -> Tensor:
    return torch.from_numpy(checked(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
