"""What a study found so far: summary.json, made from the plan, the trial folders and the reference cards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from facegan.metrics.card import Card
from facegan.metrics.discrimination import Discrimination
from facegan.metrics.table import HEADLINES, METRICS
from facegan.records import read_record
from facegan.study.analysis.effect_records import StudyEffects
from facegan.study.analysis.effects import analyse_study, look_of
from facegan.study.analysis.gradients import ArmGradients, gradients_of_arms
from facegan.study.analysis.parity import Parity, check_parity
from facegan.study.analysis.plane import Plane, make_plane
from facegan.study.analysis.runs import Run
from facegan.study.conclusions.answers import FactorConclusion, answer_factors
from facegan.study.conclusions.arms import ArmSummary, ScoreSummary, runs_of_metric, summarise_arms, summarise_card
from facegan.study.conclusions.change import ChangeConclusion, conclude_change
from facegan.study.conclusions.claim_records import ClaimConclusion
from facegan.study.conclusions.claims import conclude_claims, examine_claims, p_values_of
from facegan.study.conclusions.cost import CostSummary, summarise_cost
from facegan.study.conclusions.finalists import TunedArm, compare_finalists
from facegan.study.conclusions.gradients import GradientConclusion, conclude_gradients
from facegan.study.conclusions.limits import limit_claims
from facegan.study.conclusions.what_next import NextStep, what_next
from facegan.study.design.analysis_plan import CLAIMS, PlanChange, difference
from facegan.study.design.budget import Kind
from facegan.study.design.change import COMPARE
from facegan.study.design.plan import Plan, PlannedData, Trial
from facegan.study.folder.trial_folder import FINAL, State, trial_folder
from facegan.study.search.results import SEARCH, SEARCH_CURE, SearchResult

_STAND_INS = tuple(METRICS[metric].stand_in for metric in HEADLINES if METRICS[metric].stand_in)


@dataclass(frozen=True, slots=True)
class ArmDescription:
    """An arm of the plan."""

    name: str
    label: str
    without: tuple[str, ...]
    """Loss terms that the arm leaves out."""
    changes: Mapping[str, str | bool | int | float]
    """Other values of its configuration, by dotted name."""


@dataclass(frozen=True, slots=True)
class BudgetSummary:
    """The budget of the plan, with its descriptions."""

    kind: Kind
    seconds: float | None
    gflop: float | None
    gflop_per_image: dict[str, float]
    equalised: str
    """What is equal between arms, in words."""
    amount: str
    """What each run gets, in words."""


@dataclass(frozen=True, slots=True)
class AnalysisSummary:
    """The analysis plan, and whether it was kept."""

    digest: str
    """Its hash."""
    looks: tuple[int, ...]
    """Numbers of seeds at which the study may stop; empty: it is analysed once."""
    changes: tuple[PlanChange, ...]
    """Changes after the plan was written, also of its seeds."""
    deviation: str
    """How the analysis made differs from the one planned; empty where it does not."""


@dataclass(frozen=True, slots=True)
class StudySummary:
    """The study as a whole."""

    id: str
    design: str
    preset: str
    arms: tuple[ArmDescription, ...]
    seeds: tuple[int, ...]
    images: int
    """The most training images of a trial: planned, or reached with a budget in seconds."""
    budget: BudgetSummary
    analysis: AnalysisSummary
    test_clips: int
    """Number of clips in any card."""
    commit: str
    code: str
    vgg: str


@dataclass(frozen=True, slots=True)
class TrialSummary:
    """One trial."""

    key: str
    arm: str
    seed: int
    state: State
    images: int
    planned_images: int | None
    """None with a budget in seconds."""
    seconds: float
    images_per_second: float | None
    weights: dict[str, float]
    """Loss weights."""
    scores: dict[str, float | None] | None
    """Mean of each metric; None before the trial is scored."""
    counters: dict[str, int]
    """Passes by network."""
    error: str


@dataclass(frozen=True, slots=True)
class Summary:
    """summary.json."""

    study: StudySummary
    data: PlannedData
    trials: tuple[TrialSummary, ...]
    arms: tuple[ArmSummary, ...]
    references: dict[str, dict[str, ScoreSummary]]
    """By reference row and metric."""
    parity: Parity
    gradient_diagnostics: dict[str, ArmGradients]
    """By arm; without arms in which they were not measured."""
    gradient_conclusions: tuple[GradientConclusion, ...]
    """Of the same arms."""
    plane: Plane | None
    """None before anything was scored on both coordinates."""
    effects: StudyEffects | None
    """None for a design without factors; of a change, the effects of switching it on."""
    answers: tuple[FactorConclusion, ...]
    claims: tuple[ClaimConclusion, ...]
    change: ChangeConclusion | None
    """Of a study that compares a changed configuration with its base."""
    discrimination: Discrimination | None
    """How well the identity evaluator tells the test people apart."""
    search: SearchResult | None
    """The search that the arms' values are from; None where none was made."""
    finalists: tuple[TunedArm, ...]
    """What its finalists measured here; empty without a search."""
    cost: CostSummary | None
    """None for a study that no job has run."""
    next_steps: tuple[NextStep, ...]
    """Runs that would answer most of what is open; empty while runs of the plan are missing."""


def summarise_study(
    study: Path,
    plan: Plan,
    references: Mapping[str, Card] | None = None,
    discrimination: Discrimination | None = None,
    people: Mapping[str, str] | None = None,
) -> Summary:
    """The summary of a study folder, however far its trials are.

    `references` are the cards of the reference rows. `people` maps test clips to their people, by default each clip
    to itself: intervals resample people.
    """
    cards = {trial.key: trial_folder(study, trial).scores() for trial in plan.trials}
    rows = references or {}
    people = people or {}
    runs = {metric: runs_of_metric(study, plan, metric, cards, people) for metric in (*HEADLINES, *_STAND_INS)}
    arms = summarise_arms(study, plan, cards, rows, people)
    effects, claims = _findings(plan, runs, arms)
    states = {trial.key: trial_folder(study, trial).state() for trial in plan.trials}
    is_comparison = effects is not None and plan.design == COMPARE
    gradients = gradients_of_arms(study, plan)
    cost = summarise_cost(study, plan)
    ended = sum(state.state in FINAL for state in states.values())
    search = read_record(SearchResult, study / SEARCH, SEARCH_CURE)
    return Summary(
        study=_study(study, plan, [card for card in (*cards.values(), *rows.values()) if card]),
        data=plan.data,
        trials=tuple(_trial(study, plan, trial, cards[trial.key]) for trial in plan.trials),
        arms=arms,
        references={name: summarise_card(card) for name, card in rows.items()},
        parity=check_parity(study, plan),
        gradient_diagnostics=gradients,
        gradient_conclusions=conclude_gradients(gradients),
        plane=make_plane(runs, rows, effects),
        effects=effects,
        answers=answer_factors(effects) if effects and not is_comparison else (),
        claims=claims,
        change=conclude_change(plan, study, runs, effects, arms, states) if effects and is_comparison else None,
        discrimination=discrimination,
        search=search,
        finalists=compare_finalists(search, plan, study, runs) if search else (),
        cost=cost,
        next_steps=what_next(plan, effects, cost, ended) if effects and not is_comparison else (),
    )


def _findings(
    plan: Plan, runs: Mapping[str, Sequence[Run]], arms: Sequence[ArmSummary]
) -> tuple[StudyEffects | None, tuple[ClaimConclusion, ...]]:
    """Effects and claims; none for a design without factors, and no claims for a change of the configuration."""
    planned = [arm.levels for arm in plan.arms if arm.levels]
    if plan.design == COMPARE:
        return analyse_study(runs, planned, plan.analysis), ()
    if not plan.factors or not planned:
        return None, ()
    runs = {metric: [run for run in found if run.levels] for metric, found in runs.items()}
    examined = examine_claims(plan.design, plan.factors, runs, planned, plan.analysis, look_of(plan.analysis, runs))
    effects = analyse_study(runs, planned, plan.analysis, p_values_of(examined))
    caveats = {arm.label: arm.caveats for arm in arms if arm.in_effects and arm.caveats}
    return effects, limit_claims(conclude_claims(examined, effects), caveats)


def _study(study: Path, plan: Plan, cards: Sequence[Card]) -> StudySummary:
    reached = [trial_folder(study, t).state().images for t in plan.trials]
    images = [t.config.images for t in plan.trials] if plan.budget.seconds is None else reached
    return StudySummary(
        id=plan.id(),
        design=plan.design,
        preset=plan.preset,
        arms=tuple(ArmDescription(a.name, a.label, a.without, a.changes) for a in plan.arms),
        seeds=tuple(sorted({t.seed for t in plan.trials})),
        images=max(images),
        budget=BudgetSummary(
            kind=plan.budget.kind,
            seconds=plan.budget.seconds,
            gflop=plan.budget.gflop,
            gflop_per_image=dict(plan.budget.gflop_per_image),
            equalised=plan.budget.equalised(),
            amount=plan.budget.amount(images),
        ),
        analysis=_analysis(plan),
        test_clips=len({clip for card in cards for found in card.values() for clip in found.clips}),
        commit=plan.commit,
        code=plan.code,
        vgg=plan.vgg,
    )


def _analysis(plan: Plan) -> AnalysisSummary:
    made = replace(plan.analysis, metrics=HEADLINES, claims=() if plan.design == COMPARE else CLAIMS)
    deviation = "" if made == plan.analysis else difference(plan.analysis, made)
    return AnalysisSummary(plan.analysis.digest(), plan.analysis.looks, plan.changes, deviation)


def _trial(study: Path, plan: Plan, trial: Trial, card: Card | None) -> TrialSummary:
    state = trial_folder(study, trial).state()
    return TrialSummary(
        key=trial.key,
        arm=trial.arm,
        seed=trial.seed,
        state=state.state,
        images=state.images,
        planned_images=trial.config.images if plan.budget.seconds is None else None,
        seconds=state.seconds,
        images_per_second=state.images / state.seconds if state.seconds else None,
        weights=trial.config.loss.weights(),
        scores={metric: found.mean for metric, found in card.items()} if card else None,
        counters=state.passes,
        error=state.error,
    )
