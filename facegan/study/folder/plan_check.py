"""Whether the parts of a plan belong together, so that it can be run and analysed."""

from collections import Counter
from collections.abc import Iterator

from facegan.errors import UserError
from facegan.study.design.change import BASE, CHANGED, COMPARE, FACTOR
from facegan.study.design.plan import Plan

_COMPARED = [(BASE, {FACTOR: -1}, False), (CHANGED, {FACTOR: 1}, True)]


def contradiction(plan: Plan) -> str:
    """The first thing in a plan that does not fit the rest of it, in words; '' if all does."""
    return next(_contradictions(plan), "")


def _contradictions(plan: Plan) -> Iterator[str]:
    names = [arm.name for arm in plan.arms]
    if not plan.trials:
        yield "it has no trial"
    if len(set(names)) < len(names):
        yield "two arms have one name"
    unknown = sorted({trial.arm for trial in plan.trials} - set(names))
    if unknown:
        yield f"trials of the unknown arm {unknown[0]!r}"
    idle = sorted(set(names) - {trial.arm for trial in plan.trials})
    if idle:
        yield f"arm {idle[0]!r} has no trial"
    if len(set(plan.extension)) < len(plan.extension) or not set(plan.extension) < set(names):
        yield "its extension is not a part of its arms"
    twice, count = Counter((trial.arm, trial.seed, trial.candidate) for trial in plan.trials).most_common(1)[0]
    if count > 1:
        yield f"two trials of arm {twice[0]!r}, seed {twice[1]} and candidate {twice[2]}"
    yield from _contradictions_of_design(plan)
    yield from _refused_changes(plan)
    searched = [parameter.name for parameter in plan.search.space] if plan.search else []
    strange = sorted(set(searched) - set(plan.base.flat()))
    if strange:
        yield f"it searches {strange[0]!r}, which no configuration has"
    if plan.design == COMPARE and [(arm.name, arm.levels, bool(arm.changes)) for arm in plan.arms] != _COMPARED:
        yield "a comparison has a base, and an arm with changes"
    budget = plan.budget
    if budget.gflop is not None and not set(names) <= set(budget.gflop_per_image) & set(budget.passes_per_image):
        yield "its budget lacks an arm"


def _contradictions_of_design(plan: Plan) -> Iterator[str]:
    # Arms without levels are trained beside a design, as those with the configured weights beside the tuned ones.
    levels = {tuple(arm.levels) for arm in plan.arms if arm.levels}
    if len(levels) > 1:
        yield "its arms have levels of different factors"
    factors = [factor.name for factor in plan.factors]
    if factors and levels not in (set(), {tuple(factors)}):
        yield "its arms have levels of other factors than it has"
    terms = [term for factor in plan.factors for term in factor.terms]
    if len(set(terms)) < len(terms) or len(set(factors)) < len(factors):
        yield "two of its factors have one name or one term"


def _refused_changes(plan: Plan) -> Iterator[str]:
    for arm in plan.arms:
        if arm.changes:
            try:
                arm.apply(plan.base)
            except UserError as refused:
                yield f"the changes of arm {arm.name!r} are refused: {refused}"
