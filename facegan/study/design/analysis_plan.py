"""What a study is asked, declared before its first trial: metrics, claims, smallest effects of interest, and looks.

It is part of plan.json, and its hash is in the summary and in the report. To add a claim, add a row to `CLAIMS` here and the
function that answers it in `facegan.study.conclusions.claims`.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from facegan.errors import UserError, did_you_mean
from facegan.metrics.table import HEADLINES, METRICS

LEVEL = 0.05
"""The probability, over all tests of a study, of deciding anything wrongly."""
FIRST_LOOK = 3
"""Seeds of the first look. The spread of two seeds has one degree of freedom and next to never decides."""
MOST_SEEDS = 1000
"""Seeds of a study; each look at it is a step of an integration."""
_LEAST_LEVEL, _LARGEST_EFFECT = 1e-9, 1e6


@dataclass(frozen=True, slots=True)
class Claim:
    """A question that a study answers with yes or no."""

    name: str
    question: str
    metrics: tuple[str, str]
    """The metric that its answer is derived from, and the other coordinate of the plane, which is reported beside it."""


FEATURE_OVER_PIXEL = Claim(
    "feature_over_pixel",
    "Do feature-space terms matter more than pixel-space terms for identity?",
    ("identity_kept", "target_following"),
)
SYNERGY = Claim(
    "synergy", "Do pixel-space and feature-space terms act in synergy for identity?", ("identity_kept", "target_following")
)
FEATURE_FOLLOWING = Claim(
    "feature_following", "Do feature-space terms help the generator follow the target?", ("target_following", "identity_kept")
)
PIXEL_COPYING = Claim(
    "pixel_copying",
    "Do pixel-space terms pull the generator towards copying the source?",
    ("target_following", "identity_kept"),
)
CLAIMS: tuple[Claim, ...] = (FEATURE_FOLLOWING, PIXEL_COPYING, FEATURE_OVER_PIXEL, SYNERGY)


@dataclass(frozen=True, slots=True)
class AnalysisPlan:
    """How the scores of a study will be analysed."""

    metrics: tuple[str, ...]
    """The headline metrics, on which every effect is tested."""
    claims: tuple[Claim, ...]
    smallest_effects: dict[str, float]
    """By metric: the smallest effect of interest. Effects decidedly smaller are called equivalent to none."""
    level: float = LEVEL
    looks: tuple[int, ...] = ()
    """Numbers of seeds after which the study is analysed and may stop; empty: it is analysed once, with all of its seeds."""

    def __post_init__(self) -> None:
        if list(self.looks) != sorted(set(self.looks)) or any(seeds < 1 for seeds in self.looks):
            raise UserError(f"looks is {self.looks}: rising numbers of seeds")
        if len(self.looks) > MOST_SEEDS or any(seeds > MOST_SEEDS for seeds in self.looks):
            raise UserError(f"looks is up to {self.looks[-1]}: at most {MOST_SEEDS} seeds")
        if not _LEAST_LEVEL <= self.level <= 0.5:
            raise UserError(f"level is {self.level}: a probability from {_LEAST_LEVEL:g} to 0.5")
        for metric in (*self.metrics, *self.smallest_effects, *(name for claim in self.claims for name in claim.metrics)):
            if metric not in METRICS:
                raise UserError(f"analysis has the metric {metric!r}: {did_you_mean(metric, list(METRICS))}")
        for metric, effect in self.smallest_effects.items():
            if not 0 < effect <= _LARGEST_EFFECT:
                raise UserError(f"smallest_effects.{metric} is {effect}: above 0, at most {_LARGEST_EFFECT:g}")

    def digest(self) -> str:
        """Twelve hex digits; equal analyses have equal digests."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]


def default_analysis(looks: Sequence[int] = ()) -> AnalysisPlan:
    """The analysis that this version of the code makes."""
    smallest = {name: metric.smallest_effect for name, metric in METRICS.items() if metric.smallest_effect}
    return AnalysisPlan(HEADLINES, CLAIMS, smallest, looks=tuple(looks))


def looks_until(max_seeds: int) -> tuple[int, ...]:
    """A look after each seed from the first look on. Raises UserError if there are too few seeds for one."""
    if max_seeds < FIRST_LOOK:
        raise UserError(f"--max_seeds is {max_seeds}: at least {FIRST_LOOK}, the seeds of the first look")
    return tuple(range(FIRST_LOOK, max_seeds + 1))


@dataclass(frozen=True, slots=True)
class PlanChange:
    """A change of a plan after it was written."""

    what: str
    """In words: 'seeds 2 added', 'other metrics'."""
    results_seen: int
    """Number of trials that had scores by then."""


def difference(before: AnalysisPlan, after: AnalysisPlan) -> str:
    """Which fields of the analysis differ, with both values."""
    parts = []
    for part in fields(AnalysisPlan):
        old, new = getattr(before, part.name), getattr(after, part.name)
        if old != new:
            shown = [value if part.name != "claims" else tuple(claim.name for claim in value) for value in (old, new)]
            parts.append(f"{part.name.replace('_', ' ')} from {shown[0]} to {shown[1]}")
    return f"analysis changed: {'; '.join(parts)}"
