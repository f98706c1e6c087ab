"""Whether a study that grows until it is answered goes on, and with which seeds."""

from collections.abc import Sequence

from facegan.study.conclusions.change import ChangeConclusion
from facegan.study.conclusions.claim_records import DECIDED, NOT_ESTIMABLE, REFUSED, ClaimConclusion
from facegan.study.design.plan import Plan


def seeds_of_next_look(
    plan: Plan, claims: Sequence[ClaimConclusion], change: ChangeConclusion | None = None
) -> tuple[int, ...]:
    """The seeds of the study at its next planned look; empty where it ends with the present one.

    It ends when no look is left, when a change is kept, discarded or equal, or when every claim that the design can answer is
    decided or refused: more seeds do not cure an arm that copies.
    """
    is_open = any(claim.answer not in (*DECIDED, NOT_ESTIMABLE, REFUSED) for claim in claims)
    is_open = change.outcome == "undecided" if change else is_open
    later = [look for look in plan.analysis.looks if look > len(plan.seeds)]
    if not is_open or not later:
        return ()
    unused = [seed for seed in range(later[0] + len(plan.seeds)) if seed not in plan.seeds]
    return (*plan.seeds, *unused[: later[0] - len(plan.seeds)])
