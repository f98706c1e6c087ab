"""The best candidates of a search, trained again at full budget with other seeds beside the configured weights.

A candidate that was chosen for its score has a score that is too good: the search took the luckiest one. Training it again with
seeds that the search has not seen shows by how much.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np

from facegan.errors import UserError
from facegan.study.analysis.effect_records import Bounds
from facegan.study.analysis.effects import analyse_study
from facegan.study.analysis.model_selection import SELECTION
from facegan.study.analysis.runs import Run
from facegan.study.conclusions.answers import FactorConclusion, answer_factors
from facegan.study.design.arms import Arm
from facegan.study.design.plan import Plan
from facegan.study.folder.trial_folder import trial_folder
from facegan.study.search.results import SEARCH, SEARCH_CURE, ArmSearch, CandidateResult, SearchResult

_TUNED = "tuned"


@dataclass(frozen=True, slots=True)
class Finalist:
    """A candidate that was trained again, or the configured weights beside it."""

    arm: str
    """Name of the arm that has its values."""
    label: str
    number: int
    """Of the candidate in the search."""
    searched: float | None
    """Its score in the search, on validation people; less is better. None if the search did not train it to the end."""
    again: tuple[float, ...]
    """The same score with each of the other seeds; empty before they have ended."""
    mean: float | None
    interval: Bounds | None
    """95 % t interval of the mean over seeds."""
    optimism: float | None
    """`mean` less `searched`: by how much the search promised too much; None where one of them is."""


@dataclass(frozen=True, slots=True)
class TunedArm:
    """What the search of an arm was worth."""

    arm: str
    """The arm as configured."""
    finalists: tuple[Finalist, ...]
    """The best one first; then the configured weights, unless they are the best one."""
    gains: tuple[FactorConclusion, ...]
    """The best one against the configured weights on test people, by headline metric; empty where they are the best one."""


def arms_of_finalists(result: SearchResult, arms: Sequence[Arm]) -> tuple[Arm, ...]:
    """The arms to train again: of each arm its finalists, and the arm as configured.

    Only the best finalist of an arm has the arm's levels. So the effects of the factors are those between arms at their own
    best values. An arm without a candidate that trained to the end stays as configured. Raises UserError if an arm was not
    searched.
    """
    found, searches = list[Arm](), {search.arm: search for search in result.arms}
    for arm in arms:
        if arm.name not in searches:
            raise UserError(f"{SEARCH} lacks the arm {arm.name!r}: remove it and run the same command again")
        chosen = _best_first(searches[arm.name])
        tuned = [candidate for candidate in chosen if candidate.number]
        best_is_configured = not chosen or not chosen[0].number
        found.append(arm if best_is_configured else replace(arm, levels={}))
        for place, candidate in enumerate(tuned, 1):
            levels = arm.levels if candidate is chosen[0] else {}
            number = f" {place}" if len(tuned) > 1 else ""
            name = f"{arm.name}_{_TUNED}{number.strip()}"
            found.append(
                replace(arm, name=name, label=f"{arm.label} {_TUNED}{number}", levels=levels, changes=candidate.values)
            )
    return tuple(found)


def compare_finalists(result: SearchResult, plan: Plan, study: Path, runs: Mapping[str, Sequence[Run]]) -> tuple[TunedArm, ...]:
    """What the finalists measured with other seeds, by arm. `plan` and `runs` are of the study that trained them again.

    Raises UserError if the plan lacks an arm of the search.
    """
    for arm in [search.arm for search in result.arms]:
        if arm not in {known.name for known in plan.arms}:
            raise UserError(f"{study / SEARCH}: it names the arm {arm!r}, which the study does not have; {SEARCH_CURE}")
    return tuple(_compare(search, plan, study, runs) for search in result.arms)


def _best_first(search: ArmSearch) -> list[CandidateResult]:
    chosen = [candidate for candidate in search.candidates if candidate.is_finalist and candidate.last]
    return sorted(
        chosen, key=lambda candidate: (not candidate.last.follows, candidate.last.score) if candidate.last else (True, 0)
    )


def _compare(search: ArmSearch, plan: Plan, study: Path, runs: Mapping[str, Sequence[Run]]) -> TunedArm:
    values = {arm.name: dict(arm.changes) for arm in plan.arms}
    chosen = _best_first(search)
    configured = next((c for c in search.candidates if not c.number and c.last), None)
    shown = [*chosen, *([configured] if configured and configured not in chosen else [])]
    names = [_name(search, candidate, values) for candidate in shown]
    finalists = [_again(candidate, name, plan, study) for candidate, name in zip(shown, names, strict=True) if name]
    if not chosen or not chosen[0].number:
        return TunedArm(search.arm, tuple(finalists), ())

    # The best finalist against the arm as configured, as the two levels of a factor.
    levels = {names[0]: {_TUNED: 1}, search.arm: {_TUNED: -1}}
    pairs = {
        metric: [replace(run, levels=levels[run.arm]) for run in found if run.arm in levels] for metric, found in runs.items()
    }
    effects = analyse_study(pairs, list(levels.values()), replace(plan.analysis, claims=()))
    return TunedArm(search.arm, tuple(finalists), answer_factors(effects))


def _name(search: ArmSearch, candidate: CandidateResult, values: Mapping[str, Mapping[str, object]]) -> str:
    """The arm that has a candidate's values; '' if none does."""
    if not candidate.number:
        return search.arm
    mine = (name for name in values if name.startswith(f"{search.arm}_{_TUNED}"))
    return next((name for name in mine if values[name] == candidate.values), "")


def _again(candidate: CandidateResult, name: str, plan: Plan, study: Path) -> Finalist:
    trials = [trial for trial in plan.trials if trial.arm == name]
    rows = [[row.metrics[SELECTION] for row in trial_folder(study, t).rows() if SELECTION in row.metrics] for t in trials]
    states = [trial_folder(study, trial).state().state for trial in trials]
    scores = tuple(found[-1] for found, state in zip(rows, states, strict=True) if found and state == "COMPLETED")
    mean = fmean(scores) if scores else None
    assert candidate.last is not None, "finalists have been measured"
    # A score of fewer images does not promise anything for all of them.
    searched = candidate.last.score if candidate.state == "COMPLETED" else None
    return Finalist(
        arm=name,
        label=next(arm.label for arm in plan.arms if arm.name == name),
        number=candidate.number,
        searched=searched,
        again=scores,
        mean=mean,
        interval=_t_interval(scores),
        optimism=None if mean is None or searched is None else mean - searched,
    )


def _t_interval(values: Sequence[float]) -> Bounds | None:
    if len(values) < 2:
        return None
    from scipy import special  # slow to import, which refusing a bad flag need not wait for

    reach = -float(special.stdtrit(len(values) - 1, 0.025)) * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return fmean(values) - reach, fmean(values) + reach
