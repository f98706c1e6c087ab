"""What a claim is answered from, and its answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from facegan.study.analysis.effect_records import Bounds
from facegan.study.analysis.intervals import Interval
from facegan.study.design.analysis_plan import Claim

ClaimAnswer = Literal["yes", "no", "equivalent", "refused", "undecided", "not estimable with this design", "too few runs"]
NOT_ESTIMABLE: ClaimAnswer = "not estimable with this design"
TOO_FEW: ClaimAnswer = "too few runs"
UNDECIDED: ClaimAnswer = "undecided"
REFUSED: ClaimAnswer = "refused"
DECIDED: tuple[ClaimAnswer, ...] = ("yes", "no", "equivalent")


@dataclass(frozen=True, slots=True)
class ClaimConclusion:
    """A claim with its answer. The numbers are None where the answer is that the effect is not estimable."""

    claim: str
    question: str
    metric: str
    answer: ClaimAnswer
    """Of three answers that are decisions, 'equivalent' says that the effect is smaller than the smallest of interest."""
    sentence: str
    estimate: float | None = None
    bootstrap: Bounds | None = None
    interval: Bounds | None = None
    """From the spread over the seeds."""
    pooled: Bounds | None = None
    """From the residual noise of all runs, for comparison."""
    p: float | None = None
    p_holm: float | None = None
    standard_error: float | None = None
    degrees_of_freedom: float | None = None
    feature_effect: float | None = None
    """Effect of all feature-space terms; of the first claim only, as `pixel_effect`."""
    pixel_effect: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimEvidence:
    """What a claim is decided from, before the adjustment for other tests."""

    claim: Claim
    metric: str
    estimate: float
    interval: Interval | None
    """None with too few seeds."""
    p: float | None
    decide: Callable[[float], tuple[ClaimAnswer, str]]
    """The answer, and its words, at the level that the adjustment leaves to this claim."""
    numbers: str
    """What was measured, in words; the estimate follows."""
    basis: str
    """Numbers of seeds and people, in words."""
    limits: tuple[str, ...]
    """What belongs beside the answer, in words: another metric, missing runs, noise, assumptions."""
    bootstrap: Bounds | None
    pooled: Bounds | None
    margin: float
    """The smallest effect of interest; 0: none is declared."""
    feature_effect: float | None = None
    pixel_effect: float | None = None


@dataclass(frozen=True, slots=True)
class NoEvidence:
    """Why a claim cannot be answered."""

    claim: Claim
    answer: ClaimAnswer
    reason: str


Examined = ClaimEvidence | NoEvidence


def signed(value: float) -> str:
    """Three significant digits with the sign."""
    return f"{value:+.3g}"
