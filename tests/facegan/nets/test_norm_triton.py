"""The Triton kernel of `NormLeaky` against float64: on a GPU, or by `TRITON_INTERPRET=1` on a CPU where Triton is installed."""

import os

import pytest
import torch
from torch.nn import functional as F

from facegan.nets.norm import SLOPE

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"


@pytest.mark.gpu
@pytest.mark.skipif(not INTERPRETED and not torch.cuda.is_available(), reason="no CUDA device on this machine")
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize("shape", [(2, 24, 13, 11), (3, 16, 16, 16), (1, 5, 2, 2)])
@pytest.mark.parametrize("mean", [0.0, 20.0])
def test_the_kernel_is_leaky_relu_of_instance_norm(
    shape: tuple[int, ...], dtype: torch.dtype, tolerance: float, mean: float
) -> None:
    from facegan.nets import norm_triton

    torch.manual_seed(0)
    device = "cpu" if INTERPRETED else "cuda"
    x, gradient = ((torch.randn(shape) * scale + shift).to(device, dtype) for scale, shift in ((3, mean), (1, 0)))
    exact = x.double().requires_grad_()
    expected = F.leaky_relu(F.instance_norm(exact), SLOPE)
    (into,) = torch.autograd.grad(expected, exact, gradient.double())
    out, inverse_std = norm_triton.forward(x, SLOPE, 1e-5)
    assert (out - expected).abs().max() < tolerance
    assert (norm_triton.backward(gradient, out, inverse_std, SLOPE) - into).abs().max() < tolerance
