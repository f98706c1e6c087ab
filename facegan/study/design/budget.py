"""The budget of a study: what all arms get alike, in training images, compute or time. It is part of the plan.

Compute is counted in FLOPs (`facegan.training.flops`), not in network passes: a pass of the U-Net costs thirty times as much
as one of the PatchGAN discriminator, and the passes of VGG-19 belong to the feature-space terms.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from facegan.config import Config
from facegan.errors import UserError
from facegan.study.design.arms import Arm

Kind = Literal["images", "flops", "seconds"]

_NO_LIMIT = 1_000_000_000
"""Training images of a run with a budget in seconds, which it never reaches."""
_MAX_SECONDS = 10_000_000.0
"""Four months."""
_MAX_GFLOP = 1e18
"""30 years of 1 PFLOP/s."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What all arms get alike."""

    kind: Kind = "images"
    seconds: float | None = None
    """With kind 'seconds': training time of each run, without checkpoints and scoring."""
    gflop: float | None = None
    """With kind 'flops': compute of each run, that of the whole loss on the configured images."""
    gflop_per_image: Mapping[str, float] = field(default_factory=dict)
    """With kind 'flops': compute by arm."""
    passes_per_image: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """With kind 'flops': network passes by arm and network."""

    def __post_init__(self) -> None:
        if (self.kind == "seconds") != (self.seconds is not None) or (self.kind == "flops") != (self.gflop is not None):
            raise UserError(f"budget.kind is {self.kind!r}: with 'seconds' seconds, with 'flops' gflop, with 'images' neither")
        if self.seconds is not None and not 0 < self.seconds <= _MAX_SECONDS:
            raise UserError(f"budget.seconds is {self.seconds:g}: above 0, at most {_MAX_SECONDS:,.0f}")
        for arm, gflop in {**self.gflop_per_image, **({} if self.gflop is None else {"all": self.gflop})}.items():
            if not 0 < gflop <= _MAX_GFLOP:
                raise UserError(f"budget of {arm!r} is {gflop} GFLOP: above 0, at most {_MAX_GFLOP:g}")
        for arm, passes in self.passes_per_image.items():
            if not all(0 <= number <= _MAX_GFLOP for number in passes.values()):
                raise UserError(f"budget.passes_per_image of {arm!r} is {dict(passes)}: numbers from 0 to {_MAX_GFLOP:g}")

    def images(self, base: Config, arm: str) -> int:
        """Training images of a run of an arm, in whole batches; with a budget in seconds more than it will reach."""
        batch = base.optim.batch
        if self.seconds is not None:
            return _NO_LIMIT // batch * batch
        if self.gflop is None:
            return base.images
        return max(1, round(self.gflop / self.gflop_per_image[arm] / batch)) * batch

    def amount(self, images: Sequence[int]) -> str:
        """What a run gets, in words. `images` are those of all runs: planned, or with a budget in seconds reached so far."""
        if self.seconds is not None:
            return f"{self.seconds:g} s of training ({_span(images)} images reached)"
        if self.gflop is not None:
            return f"{self.gflop:,.0f} GFLOP of training ({_span(images)} images)"
        return f"{_span(images)} images"

    def equalised(self) -> str:
        """What is equal between the arms, and what is not, in words that follow 'equal'."""
        if self.seconds is not None:
            return (
                f"training time: {self.seconds:g} s on each run's device, up to the first report after that; checkpoints and "
                "scoring are not counted. The images reached depend on the machine and its load, so the study is not "
                "bit-reproducible"
            )
        if self.gflop is not None:
            return (
                f"compute: {self.gflop:,.0f} GFLOP for each run, the networks' multiply-adds forward and backward (two FLOP "
                "each), to the nearest batch. An arm whose terms cost less trains on more images"
            )
        return "images. Network passes and seconds differ between arms, because each term that is left out saves its cost"


def choose_budget(kind: Kind, seconds: float | None, base: Config, arms: Sequence[Arm]) -> Budget:
    """The budget of a study; for 'flops' one step of each arm is counted. Raises UserError if `seconds` does not fit `kind`."""
    if (kind == "seconds") != (seconds is not None):
        given = "missing" if seconds is None else f"{seconds:g}"
        raise UserError(f"--seconds is {given}: a number of seconds with --budget seconds, nothing with --budget {kind}")
    if seconds is not None and not 0 < seconds <= _MAX_SECONDS:
        raise UserError(f"--seconds is {seconds:g}: above 0, at most {_MAX_SECONDS:,.0f}")
    if kind != "flops":
        return Budget(kind, seconds)
    from facegan.training.flops import count_step  # imports torch and the networks, which no other budget needs

    configs = {arm.name: arm.apply(base) for arm in arms}
    counted = {config: count_step(config) for config in dict.fromkeys([base, *configs.values()])}
    gflop = {name: counted[config][0] for name, config in configs.items()}
    passes = {name: counted[config][1] for name, config in configs.items()}
    return Budget(kind, None, counted[base][0] * base.images, gflop, passes)


def _span(images: Sequence[int]) -> str:
    """'800', or '800 to 1,200'."""
    low, high = min(images, default=0), max(images, default=0)
    return f"{high:,}" if low == high else f"{low:,} to {high:,}"
