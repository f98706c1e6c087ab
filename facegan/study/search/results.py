"""search.json: what a search found, by arm and candidate, from the folder of its trials."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from facegan.errors import UserError
from facegan.study.cost.spending import Spending, read_spending
from facegan.study.design.arms import Arm
from facegan.study.design.candidates import SearchSettings, Told
from facegan.study.design.plan import Plan, Trial
from facegan.study.design.search_space import Values, of_arm
from facegan.study.folder.trial_folder import State, trial_folder
from facegan.study.search.objectives import REFERENCE, Measured, measured
from facegan.study.search.pareto import hypervolume, non_dominated_ranks
from facegan.study.search.rungs import ranked

SEARCH = "search.json"
SEARCH_CURE = "run jobs/search.py again, which writes it"
_LEAST_PAIRS = 4
"""Candidates at two rungs below which no rank correlation is given: with three, one of six orders is perfect by chance."""
LOW_CORRELATION = 0.3
"""Below this rank correlation, stopping by a rung is little better than by lot."""


@dataclass(frozen=True, slots=True)
class CandidateResult:
    """One candidate of an arm."""

    number: int
    """0 is the arm as configured."""
    key: str
    values: Values
    """Those that were proposed, by dotted name; none for the arm as configured."""
    state: State
    images: int
    last: Measured | None
    """What it measured last; None if it never came to a checkpoint."""
    is_on_front: bool
    """Whether it trained to the end, and no other one that did dominates it."""
    is_finalist: bool


@dataclass(frozen=True, slots=True)
class RungResult:
    """One rung of an arm."""

    images: int
    judged: int
    went_on: int
    rank_correlation: float | None
    """Spearman's, of the scores here and at the next rung, or at the end, over the candidates that have both."""
    pairs: int
    """Number of these."""


@dataclass(frozen=True, slots=True)
class ArmSearch:
    """The search of one arm."""

    arm: str
    label: str
    candidates: tuple[CandidateResult, ...]
    rungs: tuple[RungResult, ...]
    hypervolume: float
    """Dominated by the front, within the unit cube of the three distances."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """search.json."""

    plan: str
    """Id of the plan of the candidates."""
    settings: SearchSettings
    seed: int
    shares_start_weights: bool
    """Whether runs of other seeds can start from the same shipped weights."""
    images: int
    """Trained."""
    planned_images: int
    """If no candidate had been stopped."""
    seconds: float
    """Of training, over all candidates."""
    arms: tuple[ArmSearch, ...]
    spent: Spending = field(default_factory=Spending)
    """By all jobs that worked on the search, and what was expected before its first trial."""

    def __post_init__(self) -> None:
        """Raise UserError for a search without an arm or without images."""
        if not self.arms or not 0 <= self.images <= self.planned_images or not self.planned_images:
            raise UserError(
                f"images is {self.images} of planned_images {self.planned_images} in {len(self.arms)} arms: at least one arm "
                "and one planned image, and not more images than planned"
            )


def summarise_search(plan: Plan, study: Path) -> SearchResult:
    """The result of a search whose trials are in the folder `study`."""
    assert plan.search is not None, "a plan without candidates"
    states = [trial_folder(study, trial).state() for trial in plan.trials]
    return SearchResult(
        plan=plan.id(),
        settings=plan.search,
        seed=plan.seeds[0],
        shares_start_weights=plan.base.start == "shipped",
        images=sum(state.images for state in states),
        planned_images=sum(trial.config.images for trial in plan.trials),
        seconds=sum(state.seconds for state in states),
        arms=tuple(_arm(plan, study, arm, plan.search.finalists) for arm in plan.arms),
        spent=read_spending(study),
    )


def told(plan: Plan, study: Path, arm: Arm) -> list[Told]:
    """What an arm's candidates measured last, for the sampler."""
    trials = _trials(plan, arm)
    found = [_measurements(study, trial)[-1:] for trial in trials]
    diverged = [trial_folder(study, trial).state().state == "DIVERGED" for trial in trials]
    return [
        Told(_values(plan, arm, trial), None if over or not last else last[0].distances)
        for trial, last, over in zip(trials, found, diverged, strict=True)
    ]


def _trials(plan: Plan, arm: Arm) -> list[Trial]:
    return sorted((trial for trial in plan.trials if trial.arm == arm.name), key=lambda trial: trial.candidate)


def _measurements(study: Path, trial: Trial) -> list[Measured]:
    found = [measured(row.images, row.metrics) for row in trial_folder(study, trial).rows()]
    return [each for each in found if each is not None]


def _values(plan: Plan, arm: Arm, trial: Trial) -> Values:
    """The values that were proposed for a candidate; none for the arm as configured."""
    assert plan.search is not None
    own, space = trial.config.flat(), of_arm(plan.search.space, arm.apply(plan.base))
    return {parameter.name: own[parameter.name] for parameter in space} if trial.candidate else {}


def _arm(plan: Plan, study: Path, arm: Arm, finalists: int) -> ArmSearch:
    trials = _trials(plan, arm)
    curves = [_measurements(study, trial) for trial in trials]
    states = [trial_folder(study, trial).state() for trial in trials]

    # Only candidates that trained to the end are compared: the others were stopped earlier, and measured worse for that alone.
    ended = [i for i, state in enumerate(states) if state.state == "COMPLETED" and curves[i]]
    points = [curves[i][-1].distances for i in ended]
    front = {i for i, rank in zip(ended, non_dominated_ranks(points), strict=True) if rank == 0}
    best = [ended[place] for place in ranked([curves[i][-1] for i in ended])[:finalists]]
    candidates = tuple(
        CandidateResult(
            number=trial.candidate,
            key=trial.key,
            values=_values(plan, arm, trial),
            state=states[i].state,
            images=states[i].images,
            last=curves[i][-1] if curves[i] else None,
            is_on_front=i in front,
            is_finalist=i in best,
        )
        for i, trial in enumerate(trials)
    )
    images = [*trials[0].config.checkpoint_at, trials[0].config.images]
    rungs = tuple(_rung(curves, rung, after) for rung, after in pairwise(images))
    return ArmSearch(arm.name, arm.label, candidates, rungs, hypervolume(points, REFERENCE))


def _rung(curves: Sequence[Sequence[Measured]], images: int, after: int) -> RungResult:
    here, there = ({i: m.score for i, c in enumerate(curves) for m in c if m.images == at} for at in (images, after))
    both = [i for i in here if i in there]
    correlation = None
    if len(both) >= _LEAST_PAIRS:
        from scipy import stats  # slow to import, which refusing a bad flag need not wait for

        found = float(stats.spearmanr([here[i] for i in both], [there[i] for i in both]).statistic)
        correlation = found if found == found else None  # NaN where all scores are equal
    went_on = sum(any(m.images > images for m in curves[i]) for i in here)
    return RungResult(images, len(here), went_on, correlation, len(both))
