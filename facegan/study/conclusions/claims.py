"""The two claims of the poster, answered with an interval.

Do feature-space terms matter more than pixel-space terms for identity? Do the two groups act in synergy?
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from facegan.study.analysis.effect_records import Bounds
from facegan.study.analysis.effects import direction, fit_table
from facegan.study.analysis.intervals import Interval, bootstrap, contrast_interval, percentile_interval
from facegan.study.analysis.model import Fit, Floats, choose_model
from facegan.study.analysis.runs import Run, table_of_runs
from facegan.study.conclusions.term_groups import Side, TermGroups, contrast_of, group_factors
from facegan.study.design.arms import Factor
from facegan.study.design.two_level import Row, Word

METRIC = "identity_kept"

Claim = Literal["feature_over_pixel", "synergy"]
ClaimAnswer = Literal["yes", "no", "undecided (interval spans zero)", "not estimable with this design", "too few runs"]
NOT_ESTIMABLE: ClaimAnswer = "not estimable with this design"
TOO_FEW: ClaimAnswer = "too few runs"
UNDECIDED: ClaimAnswer = "undecided (interval spans zero)"

_QUESTIONS: dict[Claim, str] = {
    "feature_over_pixel": "Do feature-space terms matter more than pixel-space terms for identity?",
    "synergy": "Do pixel-space and feature-space terms act in synergy for identity?",
}
_SHORT_ANSWERS: dict[Claim, dict[ClaimAnswer, str]] = {
    "feature_over_pixel": {
        "yes": "Yes, feature-space terms matter more",
        "no": "No, pixel-space terms matter more",
        UNDECIDED: "Undecided, either may matter more",
        TOO_FEW: "Too few runs to say",
    },
    "synergy": {
        "yes": "Yes, each group does more for identity where the other is on",
        "no": "No, each group does less for identity where the other is on",
        UNDECIDED: "Undecided, they may help or hinder each other",
        TOO_FEW: "Too few runs to say",
    },
}


@dataclass(frozen=True, slots=True)
class ClaimConclusion:
    """A claim with its answer. The numbers are None where the answer is that the effect is not estimable."""

    claim: Claim
    question: str
    metric: str
    answer: ClaimAnswer
    sentence: str
    estimate: float | None = None
    bootstrap: Bounds | None = None
    interval: Bounds | None = None
    p: float | None = None
    standard_error: float | None = None
    degrees_of_freedom: int | None = None
    feature_effect: float | None = None
    """Effect of all feature-space terms; of the first claim only, as `pixel_effect`."""
    pixel_effect: float | None = None


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What both answers are derived from."""

    design: str
    groups: TermGroups
    planned: Sequence[Row]
    fit: Fit
    basis: str
    """Numbers of seeds and people, in words."""


def answer_claims(
    design: str, factors: Sequence[Factor], runs: Sequence[Run], planned: Sequence[Row]
) -> tuple[ClaimConclusion, ...]:
    """Both claims; `runs` are those of `METRIC`, `planned` the levels of the arms."""
    groups = group_factors(factors)
    if isinstance(groups, str):
        return tuple(_without_numbers(claim, NOT_ESTIMABLE, groups) for claim in _QUESTIONS)
    table = table_of_runs(runs)
    fit = fit_table(table, planned)[1]
    if fit is None:
        reason = "no effect can be estimated from the runs so far"
        return tuple(_without_numbers(claim, TOO_FEW, reason) for claim in _QUESTIONS)
    seeds, people = len(set(table.seeds)), len(table.clips)
    basis = f"{seeds} seed{'s' * (seeds != 1)}, {people} {'person' if people == 1 else 'people'}"
    evidence = _Evidence(design, groups, planned, fit, basis)
    return _compare_groups(evidence), _test_synergy(evidence)


def _compare_groups(evidence: _Evidence) -> ClaimConclusion:
    fit, groups = evidence.fit, evidence.groups
    sides: tuple[Side, Side] = ("feature", "pixel")
    contrasts = []
    for side in sides:
        weights = groups.main_effect(side)
        found = contrast_of(fit.model, weights)
        if isinstance(found, str):
            return _without_numbers("feature_over_pixel", _why_not_estimated(evidence, weights), found)
        contrasts.append(found)
    feature, pixel = (float(contrast @ fit.estimates) for contrast in contrasts)
    # The difference in size is linear as long as neither effect changes its sign.
    interval = contrast_interval(fit, np.sign(feature) * contrasts[0] - np.sign(pixel) * contrasts[1])
    sizes = [np.abs(bootstrap(fit) @ contrast) for contrast in contrasts]
    sentence = (
        f"{METRIC} changes by {_signed(feature)} with {groups.name('feature')} and by {_signed(pixel)} with "
        f"{groups.name('pixel')} on against off{_assumption(evidence)}, a difference in size of"
    )
    difference = abs(feature) - abs(pixel)
    conclusion = _conclude("feature_over_pixel", evidence, difference, interval, sizes[0] - sizes[1], sentence)
    return replace(conclusion, feature_effect=feature, pixel_effect=pixel)


def _assumption(evidence: _Evidence) -> str:
    """What the effects of groups assume where the model has no interactions."""
    if evidence.fit.model.has_interactions:
        return ""
    if evidence.design not in ("figure2", "loo"):
        return " (if the terms do not interact)"
    has_several = any(len(side) > 1 for side in (evidence.groups.pixel, evidence.groups.feature))
    return f" in the full loss (by leaving out{', one factor after the other, added up' if has_several else ''})"


def _test_synergy(evidence: _Evidence) -> ClaimConclusion:
    fit, groups = evidence.fit, evidence.groups
    pairs = groups.interaction(list(evidence.planned[0]))
    contrast: Floats | str = "interactions cannot be separated from main effects"
    if fit.model.has_interactions:
        contrast = contrast_of(fit.model, pairs)
    if isinstance(contrast, str):
        switched = [factor.name for factor in (*groups.pixel, *groups.feature)]
        has_both_off = any(all(row[name] == -1 for name in switched) for row in evidence.planned)
        if not has_both_off and not fit.model.has_interactions:
            contrast = "it has no arm with both groups off, so their joint effect was not measured"
        return _without_numbers("synergy", _why_not_estimated(evidence, pairs), contrast)
    contrast = direction(METRIC) * contrast
    estimate = float(contrast @ fit.estimates)
    sentence = (
        f"the effect of one group on {METRIC} differs by {_signed(2 * estimate)} between the other group on and off, "
        "an interaction (half of that) of"
    )
    return _conclude("synergy", evidence, estimate, contrast_interval(fit, contrast), bootstrap(fit) @ contrast, sentence)


def _why_not_estimated(evidence: _Evidence, weights: Mapping[Word, float]) -> ClaimAnswer:
    """TOO_FEW if all planned runs together could estimate a sum of words, else NOT_ESTIMABLE."""
    planned = choose_model(evidence.planned, evidence.planned, [0] * len(evidence.planned))
    has_pairs = any(len(word) > 1 for word in weights)
    is_estimable = not isinstance(contrast_of(planned, weights), str) and (planned.has_interactions or not has_pairs)
    return TOO_FEW if is_estimable else NOT_ESTIMABLE


def _conclude(
    claim: Claim, evidence: _Evidence, estimate: float, interval: Interval | None, resampled: Floats, sentence: str
) -> ClaimConclusion:
    """The answer by where the interval lies, and the sentence with its numbers."""
    answer: ClaimAnswer
    if interval is None:
        answer = TOO_FEW
        reason = evidence.fit.no_interval_reason.removeprefix(f"{TOO_FEW}: ")
        numbers = f"({evidence.basis}); {reason}, so other seeds may give the opposite sign"
    else:
        low, high = interval.bounds
        answer = "yes" if low > 0 else "no" if high < 0 else UNDECIDED
        numbers = f"(95 % interval {_signed(low)} to {_signed(high)}; {evidence.basis})"
    return ClaimConclusion(
        claim=claim,
        question=_QUESTIONS[claim],
        metric=METRIC,
        answer=answer,
        sentence=f"{_SHORT_ANSWERS[claim][answer]}: {sentence} {_signed(estimate)} {numbers}.",
        estimate=estimate,
        bootstrap=percentile_interval(resampled),
        interval=interval and interval.bounds,
        p=interval and interval.p,
        standard_error=interval and interval.standard_error,
        degrees_of_freedom=interval and interval.degrees_of_freedom,
    )


def _without_numbers(claim: Claim, answer: ClaimAnswer, reason: str) -> ClaimConclusion:
    return ClaimConclusion(claim, _QUESTIONS[claim], METRIC, answer, f"{answer[0].upper()}{answer[1:]}: {reason}.")


def _signed(value: float) -> str:
    """Three significant digits with the sign."""
    return f"{value:+.3g}"
