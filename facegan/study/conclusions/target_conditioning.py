"""The poster's third claim, in two parts: do feature-space terms help to follow the target, do pixel-space terms make it copy?

Both are answered from a group's effect on target following, with its effect on identity beside it: a change of identity means
something only together with the change of following.
"""

from collections.abc import Sequence

from facegan.metrics.table import display_name
from facegan.study.analysis.intervals import bootstrap, contrast_interval, percentile_interval, pooled_interval
from facegan.study.analysis.model_text import model_of_plan
from facegan.study.conclusions.claim_records import TOO_FEW, UNDECIDED, ClaimAnswer, ClaimEvidence, Examined, NoEvidence, signed
from facegan.study.conclusions.feature_over_pixel import assumption, switched_one_by_one
from facegan.study.conclusions.group_study import GroupStudy
from facegan.study.conclusions.term_groups import Side, TermGroups, contrast_of
from facegan.study.design.analysis_plan import FEATURE_FOLLOWING, PIXEL_COPYING, Claim
from facegan.study.design.two_level import Row

_SIDE: dict[str, Side] = {FEATURE_FOLLOWING.name: "feature", PIXEL_COPYING.name: "pixel"}


def examine_following(study: GroupStudy, claim: Claim) -> Examined:
    """The evidence on what a group does to target following; the claim says which group, and which direction is a yes."""
    fit, side = study.fit, _SIDE[claim.name]
    contrast = contrast_of(fit.model, study.groups.main_effect(side))
    if isinstance(contrast, str):
        return NoEvidence(claim, TOO_FEW, contrast)
    if model_of_plan(study.planned).has_interactions and not fit.model.has_interactions:
        return NoEvidence(claim, TOO_FEW, "the runs so far cannot separate interactions from main effects")
    estimate = float(contrast @ fit.estimates)
    interval, pooled = contrast_interval(fit, contrast, study.look.nominal_level), pooled_interval(fit, contrast)

    def decide(level: float) -> tuple[ClaimAnswer, str]:
        if interval is None or interval.p > level:
            return UNDECIDED, f"Undecided, {side}-space terms may help or hinder following"
        helps = estimate > 0
        answer: ClaimAnswer = "yes" if helps == (claim == FEATURE_FOLLOWING) else "no"
        does = "help the generator follow the target" if helps else "pull the generator towards copying the source"
        return answer, f"{answer.capitalize()}, {side}-space terms {does}"

    beside = study.effect_beside(study.groups.main_effect(side))
    identity = () if beside is None else (f"identity kept changes by {signed(beside)}",)
    numbers = f"with {study.groups.name(side)} on against off{assumption(study)}, {display_name(study.metric)} changes by"
    return ClaimEvidence(
        claim=claim,
        metric=study.metric,
        estimate=estimate,
        interval=interval,
        p=interval and interval.p,
        decide=decide,
        numbers=numbers,
        basis=study.basis(),
        limits=(*identity, *study.opposing_parts(side), *study.limits(contrast)),
        bootstrap=percentile_interval(bootstrap(fit) @ contrast),
        pooled=pooled and pooled.bounds,
        margin=study.margin,
    )


def why_no_group_effect(claim: Claim, groups: TermGroups, planned: Sequence[Row]) -> str:
    """Why a design cannot show what the claim's group does, whatever its runs show; empty where it can."""
    side = _SIDE[claim.name]
    if reason := switched_one_by_one(side, groups, planned):
        return reason
    found = contrast_of(model_of_plan(planned), groups.main_effect(side))
    return found if isinstance(found, str) else ""
