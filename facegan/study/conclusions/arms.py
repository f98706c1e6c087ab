"""The scores of each arm: one trial for each seed, averaged clip by clip over the seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facegan.metrics.card import Card, CategorySummary, Scores, summarise
from facegan.metrics.caveats import Caveat, caveats_of
from facegan.metrics.table import METRICS
from facegan.study.analysis.runs import Run
from facegan.study.conclusions.verdict import COPY, WARP, Comparison, Outcome, adjust_over_arms, compare_with, decide_verdict
from facegan.study.design.arms import Arm
from facegan.study.design.plan import Plan, Trial
from facegan.study.folder.trial_folder import trial_folder

Cards = Mapping[str, Card | None]
"""The metric card of each trial by its key; None before the trial is scored."""


@dataclass(frozen=True, slots=True)
class ScoreSummary:
    """A metric of an arm or of a reference row."""

    mean: float | None
    interval: tuple[float, float] | None
    note: str
    """Why the metric was not measured."""
    large_pose: float | None = None
    """Mean over the pairs whose pose changes most, which do not count in `mean`."""


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """What an arm achieved over its seeds."""

    name: str
    label: str
    trials_completed: int
    trials_planned: int
    scored: tuple[str, ...]
    """Keys of the trials that the scores are means of."""
    scores: dict[str, ScoreSummary]
    """By metric; empty before any trial is scored."""
    against_copied_source: dict[str, Comparison]
    """By error metric."""
    against_warped_source: dict[str, Comparison]
    """By error metric."""
    caveats: tuple[Caveat, ...]
    """What limits claims that rest on this arm."""
    in_effects: bool
    """Whether effects and claims rest on it; not on a candidate of a search that is not its arm's best."""
    outcome: Outcome
    verdict: str


def summarise_arms(
    study: Path, plan: Plan, cards: Cards, references: Mapping[str, Card], people: Mapping[str, str]
) -> tuple[ArmSummary, ...]:
    """The scores and the verdict of each arm; `references` are the cards of the reference rows."""
    means, smallest = {}, plan.analysis.smallest_effects
    for arm in plan.arms:
        scored = scored_trials([t for t in plan.trials if t.arm == arm.name], cards)
        means[arm.name] = _mean_card([cards[t.key] or {} for t in scored], people)
    copied, warped = (
        adjust_over_arms({arm: compare_with(card, references.get(row), people, smallest) for arm, card in means.items()})
        for row in (COPY, WARP)
    )
    return tuple(
        _summarise(study, plan, arm, cards, means[arm.name], copied[arm.name], warped[arm.name], people) for arm in plan.arms
    )


def _summarise(
    study: Path,
    plan: Plan,
    arm: Arm,
    cards: Cards,
    card: Card,
    copied: dict[str, Comparison],
    warped: dict[str, Comparison],
    people: Mapping[str, str],
) -> ArmSummary:
    trials = [t for t in plan.trials if t.arm == arm.name]
    states = [trial_folder(study, t).state().state for t in trials]
    outcome, verdict = decide_verdict(card, copied, warped, states, people)
    return ArmSummary(
        name=arm.name,
        label=arm.label,
        trials_completed=states.count("COMPLETED"),
        trials_planned=len(trials),
        scored=tuple(t.key for t in scored_trials(trials, cards)),
        scores=summarise_card(card),
        against_copied_source=copied,
        against_warped_source=warped,
        caveats=caveats_of(card),
        in_effects=bool(arm.levels),
        outcome=outcome,
        verdict=verdict,
    )


def scored_trials(trials: Sequence[Trial], cards: Cards) -> list[Trial]:
    """The trials with scores, by seed."""
    return sorted((trial for trial in trials if cards[trial.key]), key=lambda trial: trial.seed)


def summarise_card(card: Card) -> dict[str, ScoreSummary]:
    """A card without its values by clip and category."""
    return {
        metric: ScoreSummary(found.mean, found.interval, found.note, found.large_pose.mean if found.large_pose else None)
        for metric, found in card.items()
    }


def runs_of_metric(study: Path, plan: Plan, metric: str, cards: Cards, people: Mapping[str, str]) -> list[Run]:
    """One run for each arm and seed: the trial that represents it, or any of its trials before one is scored.

    Clips of one person are averaged: the units that an effect generalises over are people.
    """
    runs = []
    for arm in plan.arms:
        trials = [t for t in plan.trials if t.arm == arm.name]
        scored = {t.seed: t for t in scored_trials(trials, cards)}
        for seed in dict.fromkeys(t.seed for t in trials):
            trial = scored.get(seed, next(t for t in trials if t.seed == seed))
            card = cards[trial.key] or {}
            clips = _by_person(card[metric].clips, people) if metric in card else {}
            runs.append(Run(arm.name, seed, arm.levels, trial_folder(study, trial).state().state, clips))
    return runs


def _by_person(clips: Mapping[str, float | None], people: Mapping[str, str]) -> dict[str, float | None]:
    """The mean over each person's measured clips, None where none was; `people` maps clips, by default to themselves."""
    values: dict[str, list[float]] = {}
    for clip, value in clips.items():
        values.setdefault(people.get(clip, clip), []).extend([] if value is None else [value])
    return {person: float(np.mean(found)) if found else None for person, found in values.items()}


def _mean_card(cards: Sequence[Card], people: Mapping[str, str]) -> Card:
    """One card of several runs: each clip's mean is averaged over the runs, then people are resampled."""
    clips = sorted({clip for card in cards for found in card.values() for clip in found.clips})
    if not clips:
        return {}
    scores: Scores = {}
    for metric in METRICS:
        values = [[card[metric].clips.get(clip) for card in cards if metric in card] for clip in clips]
        known = [[v for v in row if v is not None] for row in values]
        scores[metric] = np.array([float(np.mean(row)) if row else float("nan") for row in known], np.float64)
    notes = {metric: found.note for card in cards for metric, found in card.items() if found.note}
    missing = {metric: note for metric, note in notes.items() if not np.isfinite(scores[metric]).any()}
    card = summarise(scores, clips, missing=missing, people=people)
    return {metric: replace(found, large_pose=_mean_of_large_pose(metric, cards)) for metric, found in card.items()}


def _mean_of_large_pose(metric: str, cards: Sequence[Card]) -> CategorySummary | None:
    """The mean over the runs; runs are of the same pairs."""
    found = [part for card in cards if metric in card and (part := card[metric].large_pose) and part.mean is not None]
    means = [part.mean for part in found if part.mean is not None]
    return CategorySummary(float(np.mean(means)), None, found[0].clips) if found else None
