"""What a study found: summary.json, made from the trial folders alone, as far as they have come."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from facegan.metrics.card import Scores, summarise
from facegan.metrics.table import HEADLINES, METRICS
from facegan.study.analysis.effects import analyse_study
from facegan.study.analysis.gradients import gradients_of_arms
from facegan.study.analysis.model_selection import SELECTION, rank
from facegan.study.analysis.parity import check_parity
from facegan.study.analysis.runs import Run
from facegan.study.conclusions.answers import answer_factors
from facegan.study.conclusions.claims import METRIC, answer_claims
from facegan.study.conclusions.verdict import COPY, Card, compare, judge
from facegan.study.design.arms import Arm
from facegan.study.design.plan import Plan, Trial
from facegan.study.folder.trial_folder import trial_folder

_STAND_INS = tuple(METRICS[metric].stand_in for metric in HEADLINES if METRICS[metric].stand_in)


def summarise_study(study: Path, plan: Plan, references: dict[str, Card] | None) -> dict[str, Any]:
    """The content of summary.json; `references` is that of references.json: a metric card by the row's name."""
    cards = {trial.key: trial_folder(study, trial).scores() for trial in plan.trials}
    rows = references or {}
    return {
        "study": _study(study, plan, [c for c in (*cards.values(), *rows.values()) if c]),
        "data": asdict(plan.data),
        "trials": [_trial(study, plan, trial, cards[trial.key]) for trial in plan.trials],
        "arms": [_arm(study, plan, arm, cards, rows.get(COPY)) for arm in plan.arms],
        "references": {name: _short(card) for name, card in rows.items()},
        "parity": check_parity(study, plan),
        "gradient_diagnostics": gradients_of_arms(study, plan),
        **_findings(study, plan, cards),
    }


def _findings(study: Path, plan: Plan, cards: dict[str, Card | None]) -> dict[str, Any]:
    """Effects and claims of a design with factors; of another there are none."""
    planned = [arm.levels for arm in plan.arms]
    if not plan.factors or not all(planned):
        return {"effects": None, "answers": [], "claims": []}
    runs = {metric: _runs(study, plan, metric, cards) for metric in (*HEADLINES, *_STAND_INS)}
    effects = analyse_study(runs, planned)
    return {
        "effects": effects,
        "answers": answer_factors(effects),
        "claims": answer_claims(plan.design, plan.factors, runs[METRIC], planned),
    }


def _runs(study: Path, plan: Plan, metric: str, cards: dict[str, Card | None]) -> list[Run]:
    """A run for each arm and seed: of its candidates the one that speaks for it, if any has scores."""
    runs = []
    for arm in plan.arms:
        trials = [t for t in plan.trials if t.arm == arm.name]
        judged = {t.seed: t for t in _judged(study, trials, cards)}
        for seed in dict.fromkeys(t.seed for t in trials):
            shown = judged.get(seed, next(t for t in trials if t.seed == seed))
            clips = (cards[shown.key] or {}).get(metric, {"clips": {}})["clips"]
            runs.append(Run(arm.name, seed, arm.levels, trial_folder(study, shown).state().state, clips))
    return runs


def _study(study: Path, plan: Plan, cards: Sequence[Card]) -> dict[str, Any]:
    clips = {clip for card in cards for entry in card.values() for clip in entry["clips"]}
    reached = [trial_folder(study, t).state().images for t in plan.trials]
    images = [t.config.images for t in plan.trials] if plan.budget.seconds is None else reached
    return {
        "id": plan.id(),
        "design": plan.design,
        "preset": plan.preset,
        "arms": [{"name": a.name, "label": a.label, "without": list(a.without)} for a in plan.arms],
        "seeds": sorted({t.seed for t in plan.trials}),
        "candidates": len({t.candidate for t in plan.trials}),
        "images": max(images),
        "budget": {
            "kind": plan.budget.kind,
            "seconds": plan.budget.seconds,
            "gflop": plan.budget.gflop,
            "gflop_per_image": dict(plan.budget.gflop_per_image),
            "equalised": plan.budget.equalised(),
            "amount": plan.budget.amount(images),
        },
        "test_clips": len(clips),
        "commit": plan.commit,
        "code": plan.code,
        "vgg": plan.vgg,
    }


def _trial(study: Path, plan: Plan, trial: Trial, card: Card | None) -> dict[str, Any]:
    state = trial_folder(study, trial).state()
    rate = state.images / state.seconds if state.seconds else None
    return {
        "key": trial.key,
        "arm": trial.arm,
        "candidate": trial.candidate,
        "seed": trial.seed,
        "state": state.state,
        "images": state.images,
        "planned_images": trial.config.images if plan.budget.seconds is None else None,
        "seconds": state.seconds,
        "images_per_second": rate,
        "weights": trial.config.loss.weights(),
        "scores": {metric: entry["mean"] for metric, entry in card.items()} if card else None,
        "counters": state.passes,
        "error": state.error,
    }


def _arm(study: Path, plan: Plan, arm: Arm, cards: dict[str, Card | None], copied: Card | None) -> dict[str, Any]:
    trials = [t for t in plan.trials if t.arm == arm.name]
    states = [trial_folder(study, t).state().state for t in trials]
    judged = _judged(study, trials, cards)
    card = _over_seeds([cards[t.key] or {} for t in judged])
    comparisons = compare(card, copied)
    outcome, verdict = judge(card, comparisons, states)
    return {
        "name": arm.name,
        "label": arm.label,
        "trials_completed": states.count("COMPLETED"),
        "trials_planned": len(trials),
        "judged": [t.key for t in judged],
        "scores": _short(card),
        "against_copied_source": comparisons,
        "outcome": outcome,
        "verdict": verdict,
    }


def _judged(study: Path, trials: Sequence[Trial], cards: dict[str, Card | None]) -> list[Trial]:
    """The trials that speak for an arm: with scores, one a seed, of its candidates the best on validation clips."""
    best: dict[int, Trial] = {}
    for trial in sorted((t for t in trials if cards[t.key]), key=lambda t: rank(study, t)):
        best.setdefault(trial.seed, trial)
    return [best[seed] for seed in sorted(best)]


def _over_seeds(cards: Sequence[Card]) -> Card:
    """One card of several runs: each clip's mean is averaged over the runs, then clips are resampled."""
    clips = sorted({clip for card in cards for entry in card.values() for clip in entry["clips"]})
    scores: Scores = {}
    for metric in METRICS:
        values = [[card.get(metric, {"clips": {}})["clips"].get(clip) for card in cards] for clip in clips]
        scores[metric] = np.array([_mean([v for v in row if v is not None]) for row in values], np.float64)
    return summarise(scores, clips) if clips else {}


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _short(card: Card) -> dict[str, Any]:
    kept = ("mean", "interval", "note")
    return {metric: {name: entry[name] for name in kept if name in entry} for metric, entry in card.items()}


def rank_candidates(study: Path, plan: Plan) -> list[str]:
    """Lines of a table of candidates, the best on validation clips first; unjudged ones last."""
    rows = []
    for trial in plan.trials:
        judged = [row for row in trial_folder(study, trial).rows() if SELECTION in row]
        error = float(judged[-1][SELECTION]) if judged else float("inf")
        state = trial_folder(study, trial).state()
        weights = "  ".join(f"{term} {trial.config.loss.weights()[term]:g}" for term in trial.config.loss.active())
        rows.append(
            (error, f"{error:7.2f}  candidate {trial.candidate:<3} {state.state:<9} {state.images:>8} images  {weights}")
        )
    return [line for _, line in sorted(rows)]
