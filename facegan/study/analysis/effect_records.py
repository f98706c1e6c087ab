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
class PooledInterval:
    """Inference from the residual noise of all runs, which assumes that an effect is the same in every seed."""

    interval: Bounds
    p: float
    degrees_of_freedom: int


@dataclass(frozen=True, slots=True)
class EffectNoise:
    """Standard deviations of an effect, in units of its metric."""

    seeds: float
    """Between seeds, with endless people."""
    people: float
    """Between people, with endless seeds."""
    rest: float
    """Of one seed on one person, beyond these two."""


@dataclass(frozen=True, slots=True)
class RunNoise:
    """Standard deviations by which the power of other designs is computed, in units of the metric."""

    run: float
    """Of a run about its arm and its seed."""
    people: float
    """Of an effect between people."""
    rest: float
    """Of one run on one person, beyond these two."""


@dataclass(frozen=True, slots=True)
class Noise:
    """The noise of an effect, and of the runs that it was estimated from."""

    of_effect: EffectNoise
    of_runs: RunNoise
    """From which the power of other designs follows."""


@dataclass(frozen=True, slots=True)
class VarianceComponents:
    """Parts of the variance of one run's score on one person, about the mean of its arm, in squared units of the metric."""

    seeds: float
    """Start weights and batches, as far as they move all arms alike."""
    runs: float
    """Start weights and batches, as far as they move one arm and not another."""
    people: float
    """Harder and easier people, in all arms alike."""
    people_by_arm: float
    """People that are harder in one arm than in another."""
    rest: float
    """Seeds on single people, and what no other part explains."""

    @property
    def shares(self) -> dict[str, float]:
        """Each part over the sum of all; empty where nothing varies."""
        parts = {"seeds": self.seeds, "runs": self.runs, "people": self.people, "people_by_arm": self.people_by_arm}
        parts["rest"] = self.rest
        total = sum(parts.values())
        return {name: part / total for name, part in parts.items()} if total else {}


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
    """t interval for other seeds and other people, from the spread of the effect over the seeds; None with too few seeds."""
    p: float | None
    standard_error: float | None
    degrees_of_freedom: float | None
    """Of the spread over the seeds: the number of seeds less one, or less where runs are missing."""
    p_holm: float | None
    """p after the adjustment for looks and Holm's over the declared family of tests."""
    p_equivalent: float | None
    """p of the smallest effect of interest or a larger one, in either direction (TOST), adjusted alike; None without one."""
    pooled: PooledInterval | None
    """For comparison; None with too few runs."""
    bootstrap: Bounds | None
    """Percentile interval from resampling seeds and people."""
    noise: Noise | None
    """How the effect varies between seeds and people; None with too few seeds."""
    detectable: float | None
    """Smallest true effect that as many runs would find with 80 % power, after Holm and with other people."""
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
    degrees_of_freedom: float | None
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
    variance: VarianceComponents | None
    """Where the scatter comes from; None with too few runs, or where a seed lacks an arm."""
    smallest_of_interest: float | None
    """The smallest effect of interest, as declared in the plan; None: none was declared."""
    inference: str
    """What the intervals generalise to, or why there are none."""
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
    claims: dict[str, float | None]
    """The adjusted p of each claim that the design can answer; None: no p yet."""
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
    look: int
    """Number of the present look at the study, from 1."""
    looks_left: int
    nominal_level: float
    """The probability with which an interval of this look misses: 0.05 with a single look."""
    replaced: str
    """Which headline metric was replaced by its stand-in, and why; empty where none was."""
    metrics: dict[str, MetricEffects]
