"""The three networks in NumPy and float64, written from their published definitions and from no code of `facegan.nets`.

Weights are dictionaries by PyTorch's parameter names. Images are [batch, 3, size, size] in [-1, 1], landmark maps
[batch, maps, size, size].
"""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import nn

Array: TypeAlias = NDArray[np.float64]
Weights: TypeAlias = Mapping[str, Array]

VGG_CONVOLUTIONS = {
    "1_1": 0,
    "1_2": 2,
    "2_1": 5,
    "2_2": 7,
    "3_1": 10,
    "3_2": 12,
    "3_3": 14,
    "3_4": 16,
    "4_1": 19,
    "4_2": 21,
    "4_3": 23,
}
"""Position of each convolution in torchvision's `vgg19().features`; a pooling stands before each new block."""


def weights_of(network: nn.Module) -> dict[str, Array]:
    """A copy of a network's parameters."""
    return {name: value.detach().numpy().astype(np.float64) for name, value in network.named_parameters()}


def conv(x: Array, weight: Array, bias: Array, stride: int, padding: int) -> Array:
    """y[o, i, j] = bias[o] + sum of weight[o, c, k, m] x[c, stride i + k - padding, stride j + m - padding], 0 outside."""
    kernel = weight.shape[2]
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    height, width = ((side + 2 * padding - kernel) // stride + 1 for side in x.shape[2:])
    out = np.zeros((len(x), len(weight), height, width)) + bias[:, None, None]
    for k in range(kernel):
        for m in range(kernel):
            read = padded[:, :, k : k + stride * height : stride, m : m + stride * width : stride]
            out += np.einsum("bcij,oc->boij", read, weight[:, :, k, m])  # without BLAS, whose threads wait for each other
    return out


def conv_transposed(x: Array, weight: Array, bias: Array) -> Array:
    """Kernel 3, stride 2, padding 1, one row more: x[c, i, j] weight[c, o, k, m] is added at [o, 2 i + k - 1, 2 j + m - 1]."""
    batch, _, height, width = x.shape
    out = np.zeros((batch, weight.shape[1], 2 * height + 2, 2 * width + 2))
    for k in range(3):
        for m in range(3):
            added = np.einsum("bcij,co->boij", x, weight[:, :, k, m])
            out[:, :, k : k + 2 * height : 2, m : m + 2 * width : 2] += added
    return out[:, :, 1:-1, 1:-1] + bias[:, None, None]


def instance_norm(x: Array) -> Array:
    """Each channel of each sample with mean 0 and variance 1 (Ulyanov et al. 2016), without scale and shift."""
    centred = x - x.mean(axis=(2, 3), keepdims=True)
    normed: Array = centred / np.sqrt((centred**2).mean(axis=(2, 3), keepdims=True) + 1e-5)
    return normed


def leaky(x: Array) -> Array:
    """LeakyReLU of slope 0.2."""
    return np.where(x > 0, x, 0.2 * x)


def generator(weights: Weights, image: Array, maps: Array, head: str) -> Array:
    """conv5; four stride-2 conv3; one residual block; four transposed conv3, additive skips; conv7; tanh or mask head."""

    def layer(x: Array, name: str, stride: int, padding: int) -> Array:
        return conv(x, weights[f"{name}.weight"], weights[f"{name}.bias"], stride, padding)

    levels = [leaky(instance_norm(layer(np.concatenate([image, maps], axis=1), "first.conv", 1, 2)))]
    for i in range(4):
        levels.append(leaky(instance_norm(layer(levels[-1], f"down.{i}.0", 2, 1))))
    inner = leaky(instance_norm(layer(levels[4], "bottleneck.body.0", 1, 1)))
    x = levels[4] + instance_norm(layer(inner, "bottleneck.body.2", 1, 1))
    for i in range(4):
        raised = conv_transposed(x, weights[f"up.{i}.0.weight"], weights[f"up.{i}.0.bias"])
        x = levels[3 - i] + leaky(instance_norm(raised))
    out = layer(x, "last", 1, 3)
    colour: Array = np.tanh(out[:, :3])
    if head == "colour":
        return colour
    mask = 1 / (1 + np.exp(-out[:, 3:4]))
    return mask * image + (1 - mask) * colour


def discriminator(weights: Weights, image: Array, maps: Array) -> Array:
    """PatchGAN: k4 of strides 2, 2, 2, 1, 1 with a norm on all but the first and the last; logits [batch, 1, h, w]."""
    x = conv(np.concatenate([image, maps], axis=1), weights["first.conv.weight"], weights["first.conv.bias"], 2, 1)
    x = leaky(x)
    for position, stride in ((1, 2), (3, 2), (5, 1)):
        x = leaky(instance_norm(conv(x, weights[f"layers.{position}.weight"], weights[f"layers.{position}.bias"], stride, 1)))
    return conv(x, weights["layers.7.weight"], weights["layers.7.bias"], 1, 1)


def vgg_features(weights: Weights, image: Array) -> dict[str, Array]:
    """relu1_1 to relu4_3 of VGG-19, of RGB images normalised as for ImageNet: to [0, 1], less the mean, by the deviation."""
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    x = ((image + 1) / 2 - mean[:, None, None]) / deviation[:, None, None]
    out: dict[str, Array] = {}
    for name, position in VGG_CONVOLUTIONS.items():
        if name.endswith("_1") and out:
            batch, channels, height, width = x.shape
            x = x.reshape(batch, channels, height // 2, 2, width // 2, 2).max(axis=(3, 5))
        x = np.maximum(conv(x, weights[f"features.{position}.weight"], weights[f"features.{position}.bias"], 1, 1), 0)
        out[f"relu{name}"] = x
    return out
