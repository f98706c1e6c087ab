"""The claims of a study, answered with an interval, after Holm's adjustment over all of the study's tests.

A claim is a question with its metrics (`facegan.study.design.analysis_plan`), and a contrast (`feature_over_pixel`, `synergy`).
The adjustment needs the p values of all tests, so an answer takes two steps: `examine_claims`, then `conclude_claims`.
"""

from collections.abc import Mapping, Sequence

from facegan.study.analysis.effect_records import StudyEffects
from facegan.study.analysis.effects import fit_table
from facegan.study.analysis.looks import Look
from facegan.study.analysis.runs import Run, table_of_runs
from facegan.study.conclusions.claim_records import (
    DECIDED,
    NOT_ESTIMABLE,
    TOO_FEW,
    UNDECIDED,
    ClaimConclusion,
    ClaimEvidence,
    Examined,
    NoEvidence,
    signed,
)
from facegan.study.conclusions.feature_over_pixel import compare_groups, why_not_comparable
from facegan.study.conclusions.group_study import GroupStudy
from facegan.study.conclusions.synergy import examine_synergy, why_no_interaction
from facegan.study.conclusions.target_conditioning import examine_following, why_no_group_effect
from facegan.study.conclusions.term_groups import group_factors
from facegan.study.design.analysis_plan import (
    CLAIMS,
    FEATURE_FOLLOWING,
    FEATURE_OVER_PIXEL,
    LEVEL,
    PIXEL_COPYING,
    SYNERGY,
    AnalysisPlan,
)
from facegan.study.design.arms import Factor
from facegan.study.design.two_level import Row


def examine_claims(
    design: str,
    factors: Sequence[Factor],
    runs: Mapping[str, Sequence[Run]],
    planned: Sequence[Row],
    analysis: AnalysisPlan,
    look: Look,
) -> tuple[Examined, ...]:
    """The evidence on each claim; `runs` are the planned runs by metric, `planned` the levels of the arms."""
    reasons, groups = why_not_answerable(factors, planned), group_factors(factors)
    tables = {metric: table_of_runs(runs[metric]) for claim in CLAIMS for metric in claim.metrics}
    fits = {metric: fit_table(table, planned)[1] for metric, table in tables.items()}
    examined: list[Examined] = []
    for claim in CLAIMS:
        metric, other = claim.metrics
        fit = fits[metric]
        if reasons[claim.name] or isinstance(groups, str):
            examined.append(NoEvidence(claim, NOT_ESTIMABLE, reasons[claim.name]))
        elif fit is None:
            examined.append(NoEvidence(claim, TOO_FEW, "no effect can be estimated from the runs so far"))
        else:
            margin = analysis.smallest_effects.get(metric, 0.0)
            study = GroupStudy(design, groups, planned, tables[metric], fit, look, metric, margin, fits[other])
            if claim == FEATURE_OVER_PIXEL:
                examined.append(compare_groups(study))
            elif claim == SYNERGY:
                examined.append(examine_synergy(study))
            else:
                examined.append(examine_following(study, claim))
    return tuple(examined)


def why_not_answerable(factors: Sequence[Factor], planned: Sequence[Row]) -> dict[str, str]:
    """By claim: why a design cannot answer it, whatever its runs show; empty where it can."""
    groups = group_factors(factors)
    if isinstance(groups, str):
        return {claim.name: groups for claim in CLAIMS}
    return {
        **{claim.name: why_no_group_effect(claim, groups, planned) for claim in (FEATURE_FOLLOWING, PIXEL_COPYING)},
        FEATURE_OVER_PIXEL.name: why_not_comparable(groups, planned),
        SYNERGY.name: why_no_interaction(groups, planned),
    }


def p_values_of(examined: Sequence[Examined]) -> dict[str, float | None]:
    """The claims that join the family of tests: those that the design can answer, with their p values."""
    found = {e.claim.name: e.p if isinstance(e, ClaimEvidence) else None for e in examined}
    return {e.claim.name: found[e.claim.name] for e in examined if isinstance(e, ClaimEvidence) or e.answer != NOT_ESTIMABLE}


def conclude_claims(examined: Sequence[Examined], effects: StudyEffects) -> tuple[ClaimConclusion, ...]:
    """The answers; `effects` has the adjusted p values."""
    return tuple(
        _conclude(found, effects) if isinstance(found, ClaimEvidence) else _without_numbers(found) for found in examined
    )


def _without_numbers(found: NoEvidence) -> ClaimConclusion:
    sentence = f"{found.answer[0].upper()}{found.answer[1:]}: {found.reason}."
    return ClaimConclusion(found.claim.name, found.claim.question, found.claim.metrics[0], found.answer, sentence)


def _conclude(found: ClaimEvidence, effects: StudyEffects) -> ClaimConclusion:
    p, p_holm, tests = found.p, effects.family.claims.get(found.claim.name), effects.family.tests
    if found.interval is None or p is None or p_holm is None:
        answer, lead = TOO_FEW, "Too few runs to say"
        numbers = f"({found.basis}); other seeds may give the opposite sign"
    else:
        # The share of the level that Holm leaves to this claim. What an answer rests on beside is judged at it too.
        answer, lead = found.decide(LEVEL * p / p_holm if p_holm else LEVEL / tests)
        if answer == UNDECIDED and found.margin and found.interval.p_within(found.margin) <= LEVEL / tests:
            answer, lead = "equivalent", f"No effect to speak of, smaller than the {found.margin:g} of interest"
        low, high = found.interval.bounds
        shown = "below 0.001" if p_holm < 0.001 else f"{p_holm:.3f}"
        numbers = f"(95 % interval {signed(low)} to {signed(high)}; {found.basis}; p {shown} after Holm over {tests} tests)"
    limits = "".join(f" {limit[0].upper()}{limit[1:]}." for limit in found.limits)
    return ClaimConclusion(
        claim=found.claim.name,
        question=found.claim.question,
        metric=found.metric,
        answer=answer,
        sentence=f"{lead}: {found.numbers} {signed(found.estimate)} {numbers}.{limits}",
        estimate=found.estimate,
        bootstrap=found.bootstrap,
        interval=found.interval and found.interval.bounds,
        pooled=found.pooled,
        p=found.p,
        p_holm=p_holm,
        standard_error=found.interval and found.interval.standard_error,
        degrees_of_freedom=found.interval and found.interval.degrees_of_freedom,
        feature_effect=found.feature_effect,
        pixel_effect=found.pixel_effect,
    )


def decisions(claims: Sequence[ClaimConclusion]) -> Mapping[str, bool]:
    """By claim that the design can answer: whether it is decided."""
    return {claim.claim: claim.answer in DECIDED for claim in claims if claim.answer != NOT_ESTIMABLE}
