"""The results of the effect analysis as records: the part `effects` of summary.json.

All intervals are 95 % intervals (low, high), and effects are in the units of their metric.
"""

from dataclasses import dataclass
from typing import Literal

Bounds = tuple[float, float]


@dataclass(frozen=True, slots=True)
class MissingRun:
    """A planned run that the analysis of a metric does not use."""

    arm: str
    seed: int
    state: str
    reason: str
    """Empty where the run has no scores: then the state is the reason."""


@dataclass(frozen=True, slots=True)
class RobustInference:
    """Heteroscedasticity-consistent (HC3) inference on an effect."""

    standard_error: float
    interval: Bounds
    p: float


@dataclass(frozen=True, slots=True)
class EffectEstimate:
    """An effect on one metric: the mean with the factor on minus the mean with it off."""

    name: str
    """With all aliases."""
    order: int
    """1: main effect, 2: two-factor interaction."""
    members: tuple[tuple[str, ...], ...]
    """The aliased sets of factors."""
    estimate: float
    helps: bool
    """Whether the estimate is an improvement of the metric."""
    interval: Bounds | None
    """t interval for other seeds and other clips; None with too few runs."""
    p: float | None
    standard_error: float | None
    degrees_of_freedom: int | None
    p_holm: float | None
    """p after Holm's adjustment over the declared family of tests."""
    hc3: RobustInference | None
    bootstrap: Bounds | None
    """Percentile interval from resampling seeds and people."""
    detectable: float | None
    """Smallest true effect that as many runs would find with 80 % power."""
    if_missing: Bounds | None
    """Lowest and highest estimate if the missing runs were as bad or as good as any observed one; None if none is missing."""
    sign_survives: bool | None
    """Whether `if_missing` has one sign."""


@dataclass(frozen=True, slots=True)
class NotEstimable:
    """An effect that the runs cannot estimate."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class InteractionPart:
    """An interaction's share in the difference between a leave-one-out contrast and the averaged effect."""

    name: str
    estimate: float


@dataclass(frozen=True, slots=True)
class SingleFactorContrast:
    """The difference that one factor makes with all other factors on, or all off, paired by seed."""

    factor: str
    estimate: float | None
    seeds: int
    """Number of seeds that have both runs."""
    bootstrap: Bounds | None
    interval: Bounds | None
    p: float | None
    standard_error: float | None
    degrees_of_freedom: int | None
    averaged: float | None = None
    """Main effect of the factor, averaged over the other factors."""
    explained_by: tuple[InteractionPart, ...] = ()
    """Two-factor interactions, the largest first, that set `estimate` apart from `averaged`."""
    higher_order: float | None = None
    """The rest of that difference: interactions of three and more factors."""


@dataclass(frozen=True, slots=True)
class MetricEffects:
    """The effects of all factors on one metric."""

    metric: str
    better: Literal["more", "less", ""]
    runs: int
    """Number of runs in the analysis."""
    planned: int
    """Number of planned runs."""
    seeds: int
    clips: int
    clips_left_out: tuple[str, ...]
    """Clips on which not all runs were measured."""
    missing: tuple[MissingRun, ...]
    model: str
    """The fitted model in words."""
    sigma: float | None
    """Residual standard deviation."""
    degrees_of_freedom: int | None
    noise_by_arm: dict[str, float]
    """Standard deviation between seeds of each arm."""
    inference: str
    """What the intervals generalise to, or why there are none."""
    hc3: str
    """Why there are no HC3 intervals; empty where there are."""
    effects: tuple[EffectEstimate, ...]
    not_estimable: tuple[NotEstimable, ...]
    leave_one_out: tuple[SingleFactorContrast, ...]
    """The full loss minus the loss without one factor."""
    added_alone: tuple[SingleFactorContrast, ...]
    """The base plus one factor minus the base."""


@dataclass(frozen=True, slots=True)
class HypothesisFamily:
    """The tests that p values are adjusted for."""

    metrics: tuple[str, ...]
    effects: tuple[str, ...]
    tests: int
    adjustment: str


@dataclass(frozen=True, slots=True)
class StudyEffects:
    """The effects of a study's factors on the headline metrics."""

    factors: tuple[str, ...]
    resolution: int | None
    """Resolution of a fractional design; None where nothing is aliased."""
    aliases: dict[str, list[str]]
    family: HypothesisFamily
    replaced: str
    """Which headline metric was replaced by its stand-in, and why; empty where none was."""
    metrics: dict[str, MetricEffects]
