"""Do feature-space terms matter more for identity than pixel-space terms: the difference in size of the two groups' effects."""

import numpy as np

from facegan.study.analysis.intervals import bootstrap, contrast_interval, percentile_interval, pooled_interval
from facegan.study.analysis.model_text import model_of_plan
from facegan.study.conclusions.claim_records import (
    NOT_ESTIMABLE,
    TOO_FEW,
    UNDECIDED,
    ClaimAnswer,
    ClaimEvidence,
    Examined,
    NoEvidence,
    signed,
)
from facegan.study.conclusions.group_study import SIDES, GroupStudy
from facegan.study.conclusions.term_groups import contrast_of
from facegan.study.design.analysis_plan import FEATURE_OVER_PIXEL


def compare_groups(study: GroupStudy) -> Examined:
    """The evidence on whether feature-space terms change identity more than pixel-space terms."""
    fit, groups, claim = study.fit, study.groups, FEATURE_OVER_PIXEL
    missing = _missing_arms(study)
    if missing:
        return NoEvidence(claim, NOT_ESTIMABLE, missing)
    feature, pixel = (contrast_of(fit.model, groups.main_effect(side)) for side in SIDES)
    for side, found in zip(SIDES, (feature, pixel), strict=True):
        if isinstance(found, str):
            return NoEvidence(claim, study.why_not_estimated(groups.main_effect(side)), found)
    assert not isinstance(feature, str) and not isinstance(pixel, str)
    if model_of_plan(study.planned).has_interactions and not fit.model.has_interactions:
        return NoEvidence(claim, TOO_FEW, "the runs so far cannot separate interactions from main effects")
    sizes = float(feature @ fit.estimates), float(pixel @ fit.estimates)
    estimate = abs(sizes[0]) - abs(sizes[1])
    # The difference in size is linear as long as neither effect changes its sign.
    contrast = np.sign(sizes[0]) * feature - np.sign(sizes[1]) * pixel
    level = study.look.nominal_level
    # One is larger in size only if sum and difference of the two both differ from zero: the larger p of the two counts.
    both = [contrast_interval(fit, c, level) for c in (feature - pixel, feature + pixel)]
    p = max((found.p for found in both if found), default=None)

    def decide(level: float) -> tuple[ClaimAnswer, str]:
        if p is None or p > level:
            return UNDECIDED, "Undecided, either may matter more"
        winner = max(sizes, key=abs)
        side, answer = ("feature", "yes") if winner == sizes[0] else ("pixel", "no")
        word: ClaimAnswer = "yes" if answer == "yes" else "no"
        return (
            word,
            f"{word.capitalize()}, {side}-space terms change identity more, and {'raise' if winner > 0 else 'lower'} it",
        )

    resampled = [np.abs(bootstrap(fit) @ c) for c in (feature, pixel)]
    numbers = (
        f"{study.metric} changes by {signed(sizes[0])} with {groups.name('feature')} and by {signed(sizes[1])} with "
        f"{groups.name('pixel')} on against off{_assumption(study)}, a difference in size of"
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


def _missing_arms(study: GroupStudy) -> str:
    """Why leaving out one factor after the other does not show what a group does; empty where it is not so.

    If one term of a group can stand in for another, leaving out either alone changes little. Only an arm without both shows it.
    """
    if model_of_plan(study.planned).has_interactions:
        return ""
    for side in SIDES:
        names = [factor.name for factor in study.groups.factors(side)]
        if len(names) > 1:
            return (
                f"it never switches all {side}-space terms together ({' and '.join(names)} one by one), and one at a time "
                "cannot show what terms do that stand in for each other; --design factorial --factors pixel_space "
                "feature_space can"
            )
    return ""


def _assumption(study: GroupStudy) -> str:
    """What the effects of groups assume where the model has no interactions."""
    if study.fit.model.has_interactions:
        return ""
    return " in the full loss" if study.design in ("figure2", "loo") else " (if the terms do not interact)"
