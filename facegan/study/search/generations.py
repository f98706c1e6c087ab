"""The generations of a search: candidates that are proposed together, from what those before measured."""

from pathlib import Path

from facegan.study.design.candidates import propose
from facegan.study.design.plan import Plan
from facegan.study.search.results import told


def next_generation(plan: Plan, study: Path) -> Plan | None:
    """The plan with the next candidates of each arm; None if no arm has any."""
    assert plan.search is not None, "a study without candidates"
    proposed = {arm.name: propose(plan.search, arm.name, arm.apply(plan.base), told(plan, study, arm)) for arm in plan.arms}
    return plan.with_candidates(proposed) if any(proposed.values()) else None
