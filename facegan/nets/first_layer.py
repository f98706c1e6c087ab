"""The first convolution of both networks, over an image and over landmarks given as drawn maps or as points.

The map of a point is a Gaussian of a few pixels, so a dense convolution over 68 maps multiplies mostly zeros. Given the points,
the same response is computed sparsely: each point adds a small patch to the output, where the window of a position sees its
Gaussian.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

IMAGE_CHANNELS = 3
_REACH = 6
"""Beyond this many sigmas a map is below 2e-8 and taken as 0."""


class FirstLayer(nn.Module):
    """A convolution over 3 + `maps` channels. `sigma` is the width of a point's Gaussian in pixels."""

    def __init__(self, maps: int, out: int, kernel: int, *, stride: int, padding: int, sigma: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(IMAGE_CHANNELS + maps, out, kernel, stride=stride, padding=padding)
        self.stride, self.padding, self.sigma = stride, padding, sigma

    def forward(self, image: Tensor, landmarks: Tensor) -> Tensor:
        """[batch, out, h, w] of images [batch, 3, size, size] and maps [batch, maps, size, size] or points [batch, maps, 2]."""
        if landmarks.dim() == 4:
            dense: Tensor = self.conv(
                torch.cat([image.to(self.conv.weight.dtype), landmarks.to(self.conv.weight.dtype)], dim=1)
            )
            return dense
        over_image, over_maps = self.conv.weight.split([IMAGE_CHANNELS, landmarks.shape[1]], dim=1)
        out = F.conv2d(image.to(over_image.dtype), over_image, self.conv.bias, self.stride, self.padding)
        return _add_response(out, landmarks, over_maps, image.shape[-1], self.stride, self.padding, self.sigma)


def _add_response(out: Tensor, points: Tensor, weight: Tensor, size: int, stride: int, padding: int, sigma: float) -> Tensor:
    """`out` [batch, channels, h, w] plus the convolution of weight [channels, maps, k, k] with the maps of the points."""
    batch, channels, height, width = out.shape
    by_point = points.detach().to(torch.promote_types(weight.dtype, torch.float32)).transpose(0, 1)
    windows = [
        _windows(by_point[..., axis], size, out.shape[3 - axis], weight.shape[-1], stride, padding, sigma) for axis in (0, 1)
    ]
    (columns, across), (rows, down) = windows
    # [maps, batch, rows, columns, k, k]: the window of each output position of a patch.
    read = down[:, :, :, None, :, None] * across[:, :, None, :, None, :]
    kernels = weight.permute(1, 2, 3, 0).flatten(1, 2)
    patches = torch.bmm(read.flatten(4).flatten(1, 3).to(weight.dtype), kernels).flatten(0, 1)
    sample = torch.arange(batch, device=out.device).view(1, batch, 1, 1)
    position = (sample * height + rows.unsqueeze(-1)) * width + columns.unsqueeze(-2)
    flat = out.permute(0, 2, 3, 1).reshape(-1, channels).index_add_(0, position.flatten(), patches.to(out.dtype))
    return flat.view(batch, height, width, channels).permute(0, 3, 1, 2)


def _windows(
    centre: Tensor, size: int, out: int, kernel: int, stride: int, padding: int, sigma: float
) -> tuple[Tensor, Tensor]:
    """Along one axis: the output positions [..., n] that see a point's Gaussian, and the values they read [..., n, kernel].

    As in a padded convolution, pixels outside of the image are 0. Positions outside of the output are moved inside and read 0.
    """
    reach = math.ceil(_REACH * sigma)
    lowest = centre.floor().long() - reach + 1
    first = -torch.div(kernel - 1 - padding - lowest, stride, rounding_mode="floor")
    count = (2 * reach + kernel - 2) // stride + 1
    position = first.unsqueeze(-1) + torch.arange(count, device=centre.device)
    pixel = stride * position.unsqueeze(-1) + torch.arange(kernel, device=centre.device) - padding
    seen = ((pixel >= 0) & (pixel < size)) & ((position >= 0) & (position < out)).unsqueeze(-1)
    exponent = (pixel - centre[..., None, None]).square() * (-0.5 / sigma**2)
    # As in `facegan.landmarks.maps`, no denormal numbers.
    profile = torch.exp(exponent.clamp(min=-40)) * seen
    return position.clamp(0, out - 1), profile
