"""The generations of a search: candidates that are proposed together, from what those before measured."""

from dataclasses import replace
from pathlib import Path

from facegan.study.design.candidates import propose
from facegan.study.design.plan import Plan
from facegan.study.search.results import told


def next_generation(plan: Plan, study: Path) -> Plan | None:
    """The plan with the next candidates of each arm; None if no arm has any."""
    assert plan.search is not None, "a study without candidates"
    proposed = {arm.name: propose(plan.search, arm.name, arm.apply(plan.base), told(plan, study, arm)) for arm in plan.arms}
    return plan.with_candidates(proposed) if any(proposed.values()) else None


def with_all_candidates(plan: Plan) -> Plan:
    """The plan with a stand-in for each candidate that is still to be proposed.

    A stand-in has the arm's values as configured, which matter little for its cost, and a key that no trial has.
    """
    assert plan.search is not None, "a study without candidates"
    if plan.search.sampler == "grid":
        return plan
    known = {arm.name: sum(trial.arm == arm.name for trial in plan.trials) for arm in plan.arms}
    more = plan.with_candidates({arm: [{}] * (plan.search.candidates - count) for arm, count in known.items()})
    added = (replace(trial, key=f"{trial.arm}-{trial.candidate}") for trial in more.trials[len(plan.trials) :])
    return replace(plan, trials=(*plan.trials, *added))
