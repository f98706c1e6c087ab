"""Is a changed configuration better than its base? An outcome, and what the change does to each metric and to the cost.

A change is kept if it is superior on at least one metric and non-inferior on all: Schultzberg, Ankargren and Frånberg (2024),
arXiv 2402.11609. Tests of superiority are adjusted by Holm over the metrics, because one is enough. Those of non-inferiority
and of equivalence are not, because all must hold: Berger (1982), Technometrics 24, 295-300. All of them hold over all looks,
since p values and intervals are adjusted for these.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from facegan.metrics.table import METRICS, display_name
from facegan.study.analysis.effect_records import Bounds, MetricEffects, StudyEffects
from facegan.study.analysis.effects import direction
from facegan.study.analysis.plane import KEPT
from facegan.study.analysis.runs import Run, table_of_runs
from facegan.study.conclusions.arms import ArmSummary
from facegan.study.conclusions.change_cost import ChangeCost, cost_of_change
from facegan.study.design.analysis_plan import LEVEL
from facegan.study.design.change import BASE, CHANGED
from facegan.study.design.plan import Plan
from facegan.study.folder.trial_folder import TrialState

Outcome = Literal["keep", "discard", "equal", "undecided"]
"""keep: better on at least one metric, and worse by the margin on none. discard: worse on at least one metric, or runs diverge
that do not diverge in the base. equal: within the margin on every metric. undecided: none of these is shown."""
MetricVerdict = Literal["better", "worse", "equal", "not worse", "undecided", "not comparable"]
"""equal: the whole interval is within the margin. better, worse: p below 0.05 after Holm, and not equal. not worse: the whole
interval is above a loss of the margin. not comparable: identity, where an arm copies the source or shows no face."""

_MIN_PEOPLE = 2
"""The people's spread is part of the interval."""


@dataclass(frozen=True, slots=True)
class ChangeOnMetric:
    """What a change does to one metric."""

    metric: str
    better: Literal["more", "less", ""]
    base: float | None
    """Mean over the seeds and test people that both arms have; None before both are scored."""
    changed: float | None
    effect: float | None
    """Changed minus base."""
    interval: Bounds | None
    """95 % over all looks together, for other seeds and other people; not adjusted for the number of metrics."""
    p: float | None
    """That there is no effect, after the adjustment for looks and Holm's over the metrics."""
    margin: float
    """The smallest effect of interest."""
    verdict: MetricVerdict


@dataclass(frozen=True, slots=True)
class ChangeConclusion:
    """The answer of a study that compares a changed configuration with its base."""

    outcome: Outcome
    sentence: str
    changes: dict[str, tuple[str, str]]
    """By dotted name: the value in the base, and in the changed arm."""
    seeds: int
    """Whose runs of both arms are scored."""
    people: int
    looks_left: int
    diverged: tuple[int, int]
    """Runs of the base and of the changed arm whose loss was not finite."""
    metrics: tuple[ChangeOnMetric, ...]
    cost: ChangeCost


def conclude_change(
    plan: Plan,
    study: Path,
    runs: Mapping[str, Sequence[Run]],
    effects: StudyEffects,
    arms: Sequence[ArmSummary],
    states: Mapping[str, TrialState],
) -> ChangeConclusion:
    """The conclusion from the planned runs by metric, their effects, the arms' summaries and the trials' states by key."""
    unlike = [f"{arm.label} {c.reason}" for arm in arms for c in arm.caveats if c.kind in ("copy", "no face")]
    metrics = tuple(
        _on_metric(metric, found, runs[metric], "; ".join(unlike) if metric == KEPT else "")
        for metric, found in effects.metrics.items()
    )
    diverged = tuple(sum(states[t.key].state == "DIVERGED" for t in plan.trials if t.arm == arm) for arm in (BASE, CHANGED))
    outcome: Outcome = "discard" if diverged[1] > diverged[0] else decide(found.verdict for found in metrics)
    before, after = plan.base.flat(), next(arm for arm in plan.arms if arm.name == CHANGED).apply(plan.base).flat()
    people = max((found.clips for found in effects.metrics.values()), default=0)
    seeds = max((found.seeds for found in effects.metrics.values()), default=0)
    return ChangeConclusion(
        outcome=outcome,
        sentence=_sentence(outcome, metrics, seeds, people, (diverged[0], diverged[1]), "; ".join(unlike)),
        changes={name: (str(before[name]), str(after[name])) for name in before if before[name] != after[name]},
        seeds=seeds,
        people=people,
        looks_left=effects.looks_left,
        diverged=(diverged[0], diverged[1]),
        metrics=metrics,
        cost=cost_of_change(plan, study, states),
    )


def _on_metric(metric: str, found: MetricEffects, runs: Sequence[Run], refused: str) -> ChangeOnMetric:
    table = table_of_runs(runs)
    means = {
        arm: float(np.mean([value for run, value in zip(table.runs, table.values.mean(axis=1), strict=True) if run.arm == arm]))
        for arm in {run.arm for run in table.runs}
    }
    effect, margin = next(iter(found.effects), None), found.smallest_of_interest or 0.0
    interval = effect.interval if effect and len(table.clips) >= _MIN_PEOPLE else None
    p = effect.p_holm if effect and interval else None
    return ChangeOnMetric(
        metric=metric,
        better=METRICS[metric].better,
        base=means.get(BASE),
        changed=means.get(CHANGED),
        effect=effect.estimate if effect else None,
        interval=interval,
        p=p,
        margin=margin,
        verdict="not comparable" if refused else judge(interval, p, margin, direction(metric)),
    )


def judge(interval: Bounds | None, p: float | None, margin: float, better: int) -> MetricVerdict:
    """The verdict on a metric; `p` is adjusted, and `better` is 1 if more of the metric is better, -1 if less is."""
    if interval is None or p is None:
        return "undecided"
    worst, best = sorted(end * better for end in interval)
    if -margin < worst and best < margin:
        return "equal"
    if p < LEVEL:
        return "better" if worst + best > 0 else "worse"
    return "not worse" if -margin < worst else "undecided"


def decide(verdicts: Iterable[MetricVerdict]) -> Outcome:
    """The outcome of a change from the verdicts on its metrics."""
    found = {verdict for verdict in verdicts if verdict != "not comparable"}
    if "worse" in found:
        return "discard"
    if found == {"equal"}:
        return "equal"
    return "keep" if "better" in found and "undecided" not in found else "undecided"


def _sentence(
    outcome: Outcome, metrics: Sequence[ChangeOnMetric], seeds: int, people: int, diverged: tuple[int, int], unlike: str
) -> str:
    """The outcome with what it rests on. It is about other seeds and other people of these data, at this length of training."""
    basis = f"{seeds} seed{'s' * (seeds != 1)} and {people} test {'person' if people == 1 else 'people'}"
    named = {verdict: [found for found in metrics if found.verdict == verdict] for verdict in get_args(MetricVerdict)}
    if diverged[1] > diverged[0]:
        text = f"Discard: the loss was not finite in {diverged[1]} changed runs and in {diverged[0]} runs of the base"
    elif outcome == "discard":
        text = f"Discard: {_effects(named['worse'])}" + (f", although {_effects(named['better'])}" if named["better"] else "")
    elif outcome == "keep":
        text = f"Keep: {_effects(named['better'])}, and no metric is worse by its margin"
    elif outcome == "equal":
        text = "Equal: every metric differs by less than its margin"
    elif named["undecided"] and not any(found.interval for found in named["undecided"]):
        text = "Undecided: too few runs or test people for an interval"
    elif named["undecided"]:
        unknown = " and ".join(display_name(found.metric) for found in named["undecided"])
        text = f"Undecided: {unknown} could still be worse by the margin"
        text += f", although {_effects(named['better'])}" if named["better"] else ""
    else:
        text = "Undecided: no metric is worse by its margin, and none is decidedly better"
    scope = f"This is for other seeds and people of these data, at this length of training, from {basis}."
    return f"{text}. {scope}" + (f" Identity is not compared, because {unlike}." if unlike else "")


def _effects(found: Sequence[ChangeOnMetric]) -> str:
    parts = [
        f"{display_name(f.metric)} is {f.verdict} by {abs(f.effect or 0):.3g}"
        + (f" (95 % interval of the change {f.interval[0]:+.3g} to {f.interval[1]:+.3g})" if f.interval else "")
        for f in found
    ]
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
