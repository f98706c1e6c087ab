"""Do pixel-space and feature-space terms act in synergy: does each help identity, and more so where the other is on?"""

from collections.abc import Sequence

from facegan.metrics.table import display_name
from facegan.study.analysis.effects import direction
from facegan.study.analysis.intervals import Interval, bootstrap, contrast_interval, percentile_interval, pooled_interval
from facegan.study.analysis.model_text import model_of_plan
from facegan.study.conclusions.claim_records import TOO_FEW, UNDECIDED, ClaimAnswer, ClaimEvidence, Examined, NoEvidence, signed
from facegan.study.conclusions.group_study import SIDES, GroupStudy
from facegan.study.conclusions.term_groups import TermGroups, contrast_of
from facegan.study.design.analysis_plan import SYNERGY
from facegan.study.design.two_level import Row


def examine_synergy(study: GroupStudy) -> Examined:
    """The evidence on whether each group does more for identity where the other is on."""
    fit, groups, claim = study.fit, study.groups, SYNERGY
    pairs = groups.interaction(list(study.planned[0]))
    if not fit.model.has_interactions:
        return NoEvidence(claim, TOO_FEW, "the runs so far cannot separate interactions from main effects")
    contrast = contrast_of(fit.model, pairs)
    if isinstance(contrast, str):
        return NoEvidence(claim, TOO_FEW, contrast)
    better, level = direction(study.metric), study.look.nominal_level
    contrast = better * contrast
    # What each group does where everything else is on; unknown where it has an alias.
    left_out = [contrast_of(fit.model, groups.left_out(side, fit.model)) for side in SIDES]
    where_on = [None if isinstance(found, str) else contrast_interval(fit, better * found, level) for found in left_out]
    assumed = () if len(fit.model.effects) == len(study.planned) - 1 else ("this assumes that no three factors interact",)
    interval, pooled = contrast_interval(fit, contrast, level), pooled_interval(fit, contrast)
    estimate = float(contrast @ fit.estimates)

    def decide(level: float) -> tuple[ClaimAnswer, str]:
        if interval is None or interval.p > level:
            return UNDECIDED, "Undecided, they may help or hinder each other"
        if estimate < 0:
            return "no", "No, each group does less for identity where the other is on"
        known = [found for found in where_on if found and found.p <= level]
        if any(found.estimate < 0 for found in known):
            return "no", "No synergy, a group only hurts identity less where the other is on"
        if len(known) == len(where_on):
            return "yes", "Yes, synergy: each group helps identity where the other is on, and more than alone"
        return UNDECIDED, "Undecided, each does more where the other is on, but whether both then help is open"

    numbers = (
        f"the effect of one group on {display_name(study.metric)} differs by {signed(2 * estimate)} between the other group on "
        "and off, "
        f"{_effects_where_on(study, where_on)}an interaction (half of the difference) of"
    )
    return ClaimEvidence(
        claim=claim,
        metric=study.metric,
        estimate=estimate,
        interval=interval,
        p=interval and interval.p,
        decide=decide,
        numbers=numbers,
        basis=study.basis(),
        limits=(*assumed, *study.limits(contrast)),
        bootstrap=percentile_interval(bootstrap(fit) @ contrast),
        pooled=pooled and pooled.bounds,
        margin=study.margin,
    )


def why_no_interaction(groups: TermGroups, planned: Sequence[Row]) -> str:
    """Why a design cannot show an interaction of the groups, whatever its runs show; empty where it can."""
    model = model_of_plan(planned)
    if model.has_interactions:
        found = contrast_of(model, groups.interaction(list(planned[0])))
        return found if isinstance(found, str) else ""
    switched = [factor.name for factor in (*groups.pixel, *groups.feature)]
    if any(all(row[name] == -1 for name in switched) for row in planned):
        return "interactions cannot be separated from main effects"
    return "it has no arm with both groups off, so their joint effect was not measured"


def _effects_where_on(study: GroupStudy, found: Sequence[Interval | None]) -> str:
    if not all(found):
        return ""
    sizes = [direction(study.metric) * one.estimate for one in found if one]
    parts = [f"{side}-space terms change it by {signed(size)}" for side, size in zip(SIDES, sizes, strict=True)]
    return f"{' and '.join(parts)} where the other is on, "
