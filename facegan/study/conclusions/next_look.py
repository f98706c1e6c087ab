"""Whether a study that grows until it is answered goes on, and with which seeds."""

from collections.abc import Sequence

from facegan.study.conclusions.claim_records import DECIDED, NOT_ESTIMABLE, REFUSED, ClaimConclusion
from facegan.study.design.plan import Plan


def seeds_of_next_look(plan: Plan, claims: Sequence[ClaimConclusion]) -> tuple[int, ...]:
    """The seeds of the study at its next planned look; empty where it ends with the present one.

    It ends when no look is left, or when every claim that the design can answer is decided or refused: more seeds do not cure
    an arm that copies.
    """
    is_open = any(claim.answer not in (*DECIDED, NOT_ESTIMABLE, REFUSED) for claim in claims)
    later = [look for look in plan.analysis.looks if look > len(plan.seeds)]
    if not is_open or not later:
        return ()
    unused = [seed for seed in range(later[0] + len(plan.seeds)) if seed not in plan.seeds]
    return (*plan.seeds, *unused[: later[0] - len(plan.seeds)])
