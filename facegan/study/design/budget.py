"""What all arms of a study get alike: images, compute or training time. It is part of the plan, before the first trial.

Compute is measured in FLOPs (`facegan.flops`). A sum of passes would count a PatchGAN's pass like a U-Net's of thirty times the
work, and generator passes alone would make the VGG-19 of the feature terms free.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from facegan.config import Config
from facegan.errors import UserError
from facegan.study.design.arms import Arm

Kind = Literal["images", "flops", "seconds"]

_NO_LIMIT = 1_000_000_000
"""Images that no run reaches: with seconds, these end it."""
_LONGEST = 10_000_000.0
"""Seconds, four months."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What all arms get alike. `gflop_per_image` and `passes_per_image` are by arm, and of 'flops' alone."""

    kind: Kind = "images"
    seconds: float | None = None
    """Of 'seconds': training time of each run on its device, without checkpoints and scoring."""
    gflop: float | None = None
    """Of 'flops': what each run spends, that is the whole loss on the configured images."""
    gflop_per_image: Mapping[str, float] = field(default_factory=dict)
    passes_per_image: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def images(self, base: Config, arm: str) -> int:
        """Images that a run of an arm trains on: to the nearest whole batch, or more than it will reach."""
        batch = base.optim.batch
        if self.seconds is not None:
            return _NO_LIMIT // batch * batch
        if self.gflop is None:
            return base.images
        return max(1, round(self.gflop / self.gflop_per_image[arm] / batch)) * batch

    def amount(self, images: Sequence[int]) -> str:
        """What a run gets, in words; `images` are those of the runs: planned ones, or with seconds those reached so far."""
        if self.seconds is not None:
            return f"{self.seconds:g} s of training ({_span(images)} images reached)"
        if self.gflop is not None:
            return f"{self.gflop:,.0f} GFLOP of training ({_span(images)} images)"
        return f"{_span(images)} images"

    def equalised(self) -> str:
        """What is equal between the arms, and what is not, in words."""
        if self.seconds is not None:
            return (
                f"training time: {self.seconds:g} s of each run's device, up to the first report after that; checkpoints and "
                "scoring are not counted. Seconds depend on the machine and on what else it does, so another run of the same "
                "command ends at other images: it is not bit-reproducible"
            )
        if self.gflop is not None:
            return (
                f"compute: {self.gflop:,.0f} GFLOP a run, the networks' multiply-adds forward and backward (two FLOP each), "
                "to the nearest batch. An arm whose terms cost less trains on more images"
            )
        return "images. Passes and seconds differ by what an arm leaves out: that is the terms' cost, and it is not made up for"


def choose_budget(kind: Kind, seconds: float | None, base: Config, arms: Sequence[Arm]) -> Budget:
    """The budget of a study; for 'flops' one step of each arm is counted. A UserError says what does not fit together."""
    if (kind == "seconds") != (seconds is not None):
        given = "missing" if seconds is None else f"{seconds:g}"
        raise UserError(f"--seconds is {given}: a number of seconds with --budget seconds, nothing with --budget {kind}")
    if seconds is not None and not 0 < seconds <= _LONGEST:
        raise UserError(f"--seconds is {seconds:g}: above 0, at most {_LONGEST:,.0f}")
    if kind != "flops":
        return Budget(kind, seconds)
    from facegan.flops import count_step  # it imports the networks, which no other budget needs

    configs = {arm.name: arm.apply(base) for arm in arms}
    counted = {config: count_step(config) for config in dict.fromkeys([base, *configs.values()])}
    gflop = {name: counted[config][0] for name, config in configs.items()}
    passes = {name: counted[config][1] for name, config in configs.items()}
    return Budget(kind, None, counted[base][0] * base.images, gflop, passes)


def _span(images: Sequence[int]) -> str:
    low, high = min(images, default=0), max(images, default=0)
    return f"{high:,}" if low == high else f"{low:,} to {high:,}"
