"""What a study was to cost and what it did, and which trials are missing because it ended at a limit."""

from dataclasses import dataclass, replace
from pathlib import Path

from facegan.study.cost.spending import COST, read_spending
from facegan.study.design.plan import Plan
from facegan.study.folder.trial_folder import FINAL, trial_folder


@dataclass(frozen=True, slots=True)
class CostSummary:
    """Estimate and actual cost of a study, over all jobs that worked on it."""

    hours: float
    """Of a wall clock, while trials ran."""
    trial_hours: float
    """Of training, over all trials and warm-ups."""
    usd: float | None
    """At list prices or --usd_per_hour; None without a price."""
    estimated_hours: float | None
    """Before it began; None where no rate was known, or the study has other trials than it had then."""
    estimated_usd: float | None
    estimated_from: str
    """Where the rates of the estimate are from."""
    limit: str
    """The limit at which the study ended; '' where it did not."""
    missing: tuple[str, ...]
    """With a limit: label and seed of each trial that has not ended."""
    sentences: tuple[str, ...]


def summarise_cost(study: Path, plan: Plan) -> CostSummary | None:
    """None for a study without cost.json."""
    if not (study / COST).exists():
        return None
    spent = read_spending(study)
    forecast = spent.forecast if spent.forecast and spent.forecast.trials == len(plan.trials) else None
    labels = {arm.name: arm.label for arm in plan.arms}
    states = {trial.key: trial_folder(study, trial).state() for trial in (*plan.warm_ups(), *plan.trials)}
    left = [trial for trial in plan.trials if states[trial.key].state not in FINAL]
    missing = tuple(f"{labels[t.arm]} seed {t.seed}" for t in left) if spent.limit else ()
    found = CostSummary(
        hours=spent.seconds / 3600,
        trial_hours=sum(state.seconds for state in states.values()) / 3600,
        usd=spent.usd,
        estimated_hours=forecast.seconds / 3600 if forecast else None,
        estimated_usd=forecast.usd if forecast else None,
        estimated_from=forecast.source if forecast else "",
        limit=spent.limit,
        missing=missing,
        sentences=(),
    )
    return replace(found, sentences=_sentences(found, plan))


def _sentences(found: CostSummary, plan: Plan) -> tuple[str, ...]:
    spent = f"Over all jobs its trials ran for {_span(found.hours)}{_dollars(found.usd)}; training alone, summed over trials, "
    spent += f"took {_span(found.trial_hours)}."
    if found.estimated_hours:
        spent += f" Estimated before: {_span(found.estimated_hours)}{_dollars(found.estimated_usd)}, {found.estimated_from}"
        spent += "." if found.missing else f"; actual over estimate {found.hours / found.estimated_hours:.2f}."
    if not found.limit:
        return (spent,)
    ended = (
        f"The study ended at its limit, {found.limit}: {len(found.missing)} of {len(plan.trials)} trials are missing "
        f"({', '.join(found.missing)}). The same command with a higher limit goes on."
    )
    return (ended, spent)


def _span(hours: float) -> str:
    """'1.20 hours', or below one hour '12.0 minutes'."""
    return f"{hours:.2f} hours" if hours >= 1 else f"{60 * hours:.1f} minutes"


def _dollars(usd: float | None) -> str:
    return "" if usd is None else f", ${usd:.2f}"
