"""Arms: sets of loss weights to compare, and candidates: variations of an arm's weights to choose among."""

from dataclasses import dataclass

import numpy as np

from facegan.config import TERMS, Config, UserError, did_you_mean

CONSISTENCY_TERMS = ("self_consistency", "triple_consistency")
FEATURE_TERMS = ("perceptual", "identity", "style")

_DECADES = 1.0
"""Candidates' weights lie within this many powers of ten of the arm's."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A set of loss weights: its name on the command line, its label in figures and the terms it leaves out."""

    name: str
    label: str
    without: tuple[str, ...]

    def apply(self, config: Config) -> Config:
        """The configuration with this arm's terms left out."""
        return config.override({f"loss.{term}": 0.0 for term in self.without})


DESIGNS: dict[str, tuple[Arm, ...]] = {
    "figure2": (
        Arm("no_consistency", "-Cons.", CONSISTENCY_TERMS),
        Arm("no_pixel", "-Pixel", ("pixel",)),
        Arm("no_feature", "-Feature", FEATURE_TERMS),
        Arm("full", "Full", ()),
    ),
}
"""figure2: the four models of the poster's Figure 2, in its order."""


def choose_arms(design: str, names: tuple[str, ...] = ()) -> tuple[Arm, ...]:
    """The arms of a design, or the named ones of them in the design's order."""
    if design not in DESIGNS:
        raise UserError(f"--design is {design!r}: {did_you_mean(design, list(DESIGNS))}")
    known = [arm.name for arm in DESIGNS[design]]
    for name in names:
        if name not in known:
            raise UserError(f"--arms has {name!r}, no arm of {design}: {did_you_mean(name, known)}")
    return tuple(arm for arm in DESIGNS[design] if not names or arm.name in names)


def candidate(config: Config, arm: str, number: int) -> Config:
    """Candidate 0 is the arm itself; the others draw each active weight log-uniformly about it, by arm and number alone.

    The adversarial weight stays: the scale of the whole loss means nothing to Adam, so one weight is the unit.
    """
    if number == 0:
        return config
    rng = np.random.default_rng([number, *arm.encode()])
    factors = dict(zip(TERMS, 10 ** rng.uniform(-_DECADES, _DECADES, len(TERMS)), strict=True))
    weights = config.loss.weights()
    return config.override(
        {f"loss.{t}": float(f"{weights[t] * factors[t]:.3g}") for t in config.loss.active() if t != "adversarial"}
    )
