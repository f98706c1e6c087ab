"""The part of a configuration that says how a run is optimized, in which precision, and how a GPU computes it."""

from dataclasses import dataclass
from typing import Literal

from facegan.errors import UserError

_LARGEST_BATCH = 16_384
"""Images. At 128 pixels they take 0.8 GB as bytes, before any activation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimConfig:
    """Adam for the generator and SGD without momentum for the discriminator, one step each, no decay."""

    # Another optimizer needs its options here and its construction in `facegan.training.state.new_state`.

    generator_lr: float = 2e-4
    """Learning rate of Adam."""
    discriminator_lr: float = 5e-5
    """Learning rate of SGD."""
    batch: int = 8
    """Images in a global batch, over all workers."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """bf16: the networks' passes in bfloat16, losses, statistics and weights in float32; auto: bf16 on a GPU and on a CPU with
    instructions for it, otherwise fp32. A study keeps in its plan what auto was when it was planned."""
    average: float = 0.0
    """Decay per step of an exponential moving average of the generator's weights, which is then the generator that is scored,
    shown and exported; 0: none."""
    compile: bool = False
    """Compile the networks with TorchInductor, which takes minutes and needs a C++ compiler or, on a GPU, Triton. Measure with
    jobs/bench/step.py whether it pays on your device."""
    tf32: bool = True
    """On a GPU, float32 convolutions and products in TF32: 10 bits of mantissa, as PyTorch does by default in convolutions."""
    fused_norm: bool = False
    """On a GPU, instance norm with its activation as one Triton kernel. Not measured on a GPU yet."""
    cuda_graph: bool = False
    """On a GPU, record a step once and replay it, so that the device waits for no launches. Not measured on a GPU yet."""

    def __post_init__(self) -> None:
        for name in ("generator_lr", "discriminator_lr"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"optim.{name} is {getattr(self, name)}: between 0 and 1")
        if not 1 <= self.batch <= _LARGEST_BATCH:
            raise UserError(f"optim.batch is {self.batch}: from 1 to {_LARGEST_BATCH}")
        if not 0 <= self.average < 1:
            raise UserError(f"optim.average is {self.average}: at least 0 and below 1, such as 0.999; 0 keeps no average")
