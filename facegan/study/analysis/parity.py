"""Whether the arms of a study had the same chances: start weights, batches, their budget, passes, device seconds and memory.

Declared by the plan, proven by what each trial wrote down when it ran.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from facegan.study.design.plan import Plan, Trial
from facegan.study.folder.trial_folder import trial_folder

_OVERSPENT = 0.1
"""Of a budget of seconds: runs that end further behind it had no equal time."""


def check_parity(study: Path, plan: Plan) -> dict[str, Any]:
    """Per trial what it got, and per demand whether all trials that are done were treated alike: a sentence each."""
    rows = [_row(study, plan, trial) for trial in plan.trials]
    done = [row for row in rows if row["state"] == "COMPLETED"]
    return {
        "trials": rows,
        "demands": [
            _within_seeds("equal start weights in all arms of a seed", "start_weights", done),
            _within_seeds("equal first 100 batches in all arms of a seed", "first_batches", done),
            *_of_budget(study, plan, done),
            _over_all("the same kind of device", "device", done),
        ],
    }


def _of_budget(study: Path, plan: Plan, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the budget promises."""
    budget = plan.budget
    if budget.seconds is not None:
        return [_seconds_spent(study, plan, budget.seconds, rows)]
    if budget.gflop is not None:
        return [_compute_spent(plan, budget.gflop, rows), _passes_as_weighed(plan, rows)]
    return [_over_all("equal images", "images", rows), _over_all("equal generator passes", "generator_passes", rows)]


def _seconds_spent(study: Path, plan: Plan, seconds: float, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A run ends at its first report after the seconds: its last row of metrics is behind them, the one before is not."""
    odd, reports = [], {t.key: [r["seconds"] for r in trial_folder(study, t).rows()] for t in plan.trials}
    for row in rows:
        *before, last = [0.0, *reports[row["key"]]]
        if not (seconds <= last <= (1 + _OVERSPENT) * seconds and all(value < seconds for value in before)):
            odd.append(f"{last:.1f}")
    demand = f"{seconds:g} s of training, to the first report after that and at most {_OVERSPENT:.0%} more"
    answer = _answer(demand, rows, odd, "a smaller report_every ends runs closer; runs that ended at seconds")
    spent = [row["seconds"] for row in rows]
    return answer if odd or not rows else answer | {"detail": f"{min(spent):.1f} to {max(spent):.1f} s in {len(rows)} runs"}


def _compute_spent(plan: Plan, gflop: float, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    batch = plan.base.optim.batch
    odd = [
        f"{row['gflop']:,.0f}"
        for row in rows
        if abs(row["gflop"] - gflop) > plan.budget.gflop_per_image[row["arm"]] * batch / 2
    ]
    return _answer(f"{gflop:,.0f} GFLOP of training, to the nearest batch", rows, odd, "GFLOP")


def _passes_as_weighed(plan: Plan, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The weight of an arm rests on the passes of a counted step: a run must have made the same ones."""
    odd = []
    for row in rows:
        planned = plan.budget.passes_per_image[row["arm"]]
        if any(row[f"{network}_passes"] != passes * row["images"] for network, passes in planned.items()):
            odd.append(f"{row['arm']} seed {row['seed']}")
    return _answer("passes an image as weighed in the plan", rows, list(dict.fromkeys(odd)), "runs")


def _row(study: Path, plan: Plan, trial: Trial) -> dict[str, Any]:
    folder = trial_folder(study, trial)
    state, found = folder.state(), folder.conditions()
    return {
        "key": trial.key,
        "arm": trial.arm,
        "seed": trial.seed,
        "candidate": trial.candidate,
        "state": state.state,
        "images": state.images,
        "seconds": state.seconds,
        "gflop": plan.budget.gflop_per_image[trial.arm] * state.images if plan.budget.gflop is not None else None,
        **{f"{network}_passes": state.passes.get(network, 0) for network in ("generator", "discriminator", "vgg")},
        **asdict(found),
    }


def _within_seeds(demand: str, name: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    values = {seed: {row[name] for row in rows if row["seed"] == seed} for seed in sorted({row["seed"] for row in rows})}
    return _answer(demand, rows, [seed for seed, found in values.items() if len(found) > 1 or None in found], "seed")


def _over_all(demand: str, name: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    values = sorted({row[name] for row in rows}, key=str)
    return _answer(demand, rows, values if len(values) > 1 or values == [None] else [], "values")


def _answer(demand: str, rows: Sequence[dict[str, Any]], differing: Sequence[Any], what: str) -> dict[str, Any]:
    """`met` is None where nothing has run yet."""
    detail = f"{what} {', '.join(map(str, differing[:6]))}" if differing else f"{len(rows)} runs compared"
    return {"demand": demand, "met": not differing if rows else None, "detail": detail}
