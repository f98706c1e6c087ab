"""Do feature-space terms matter more for identity than pixel-space terms: the difference in size of the two groups' effects."""

from collections.abc import Sequence

import numpy as np

from facegan.study.analysis.intervals import bootstrap, contrast_interval, percentile_interval, pooled_interval
from facegan.study.analysis.model_text import model_of_plan
from facegan.study.conclusions.claim_records import (
    TOO_FEW,
    UNDECIDED,
    ClaimAnswer,
    ClaimEvidence,
    Examined,
    NoEvidence,
    signed,
)
from facegan.study.conclusions.group_study import SIDES, GroupStudy
from facegan.study.conclusions.term_groups import Side, TermGroups, contrast_of
from facegan.study.design.analysis_plan import FEATURE_OVER_PIXEL
from facegan.study.design.two_level import Row


def compare_groups(study: GroupStudy) -> Examined:
    """The evidence on whether feature-space terms change identity more than pixel-space terms."""
    fit, groups, claim = study.fit, study.groups, FEATURE_OVER_PIXEL
    if model_of_plan(study.planned).has_interactions and not fit.model.has_interactions:
        return NoEvidence(claim, TOO_FEW, "the runs so far cannot separate interactions from main effects")
    feature, pixel = (contrast_of(fit.model, groups.main_effect(side)) for side in SIDES)
    for found in (feature, pixel):
        if isinstance(found, str):
            return NoEvidence(claim, TOO_FEW, found)
    assert not isinstance(feature, str) and not isinstance(pixel, str)
    sizes = float(feature @ fit.estimates), float(pixel @ fit.estimates)
    estimate = abs(sizes[0]) - abs(sizes[1])
    # The difference in size is linear as long as neither effect changes its sign.
    signs = [-1.0 if size < 0 else 1.0 for size in sizes]
    contrast = signs[0] * feature - signs[1] * pixel
    level = study.look.nominal_level
    # One is larger in size only if sum and difference of the two both differ from zero: the larger p of the two counts.
    both = [contrast_interval(fit, c, level) for c in (feature - pixel, feature + pixel)]
    p = max((found.p for found in both if found), default=None)

    def decide(level: float) -> tuple[ClaimAnswer, str]:
        if p is None or p > level:
            return UNDECIDED, "Undecided, either may matter more"
        winner = max(sizes, key=abs)
        change = "raise" if winner > 0 else "lower"
        if winner == sizes[0]:
            return "yes", f"Yes, feature-space terms change identity more, and {change} it"
        return "no", f"No, pixel-space terms change identity more, and {change} it"

    resampled = [np.abs(bootstrap(fit) @ c) for c in (feature, pixel)]
    numbers = (
        f"identity kept changes by {signed(sizes[0])}{_following(study, 'feature')} with {groups.name('feature')} and by "
        f"{signed(sizes[1])}{_following(study, 'pixel')} with {groups.name('pixel')} on against off{assumption(study)}, a "
        "difference in size of"
    )
    pooled = pooled_interval(fit, contrast)
    return ClaimEvidence(
        claim=claim,
        metric=study.metric,
        estimate=estimate,
        interval=contrast_interval(fit, contrast, level),
        p=p,
        decide=decide,
        numbers=numbers,
        basis=study.basis(),
        limits=study.limits(contrast),
        bootstrap=percentile_interval(resampled[0] - resampled[1]),
        pooled=pooled and pooled.bounds,
        margin=study.margin,
        feature_effect=sizes[0],
        pixel_effect=sizes[1],
    )


def why_not_comparable(groups: TermGroups, planned: Sequence[Row]) -> str:
    """Why a design cannot compare the groups, whatever its runs show; empty where it can."""
    model = model_of_plan(planned)
    for side in SIDES:
        if reason := switched_one_by_one(side, groups, planned):
            return reason
    contrasts = [contrast_of(model, groups.main_effect(side)) for side in SIDES]
    return next((found for found in contrasts if isinstance(found, str)), "")


def _following(study: GroupStudy, side: Side) -> str:
    found = study.effect_beside(study.groups.main_effect(side))
    return "" if found is None else f" (target following by {signed(found)})"


def switched_one_by_one(side: Side, groups: TermGroups, planned: Sequence[Row]) -> str:
    """The reason why a design that never switches all terms of a group together cannot show what the group does; else empty.

    If one term of a group can stand in for another, leaving out either alone changes little. Only an arm without both shows it.
    """
    names = [factor.name for factor in groups.factors(side)]
    if len(names) < 2 or model_of_plan(planned).has_interactions:
        return ""
    return (
        f"it never switches all {side}-space terms together ({' and '.join(names)} one by one), and one at a time "
        "cannot show what terms do that stand in for each other; --design factorial --factors pixel_space feature_space can"
    )


def assumption(study: GroupStudy) -> str:
    """What the effects of groups assume where the model has no interactions."""
    if study.fit.model.has_interactions:
        return ""
    return " in the full loss" if study.design in ("figure2", "loo") else " (if the terms do not interact)"
