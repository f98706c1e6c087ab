"""Parity: whether the arms of a study were trained under equal conditions.

The plan declares what is equal: start weights, batches, and the budget in images, compute or time. The trial folders record
what each trial did.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from facegan.study.design.plan import Plan, Trial
from facegan.study.folder.trial_folder import State, trial_folder

_MAX_OVERSPENT = 0.1
"""Share of a budget in seconds by which a run may exceed it: a run ends at the first report after its seconds."""


@dataclass(frozen=True, slots=True)
class ParityRow:
    """What one trial was trained on. None: not known, or not part of the budget."""

    key: str
    arm: str
    seed: int
    state: State
    images: int
    seconds: float
    gflop: float | None
    """Compute spent; of a budget in FLOPs only."""
    generator_passes: int
    discriminator_passes: int
    vgg_passes: int
    start_weights: str | None
    first_batches: str | None
    device: str | None
    peak_memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class ParityCheck:
    """One condition that all completed trials should share."""

    demand: str
    met: bool | None
    """None before any trial is complete."""
    detail: str


@dataclass(frozen=True, slots=True)
class Parity:
    """The conditions of all trials, and the checks over the completed ones."""

    trials: tuple[ParityRow, ...]
    warm_ups: tuple[ParityRow, ...]
    """The runs that the trials of a seed branch from, each counted once."""
    demands: tuple[ParityCheck, ...]


def check_parity(study: Path, plan: Plan) -> Parity:
    """Compare the conditions of all completed trials of a study."""
    rows = tuple(_row(study, plan, trial) for trial in plan.trials)
    done = [row for row in rows if row.state == "COMPLETED"]
    return Parity(
        trials=rows,
        warm_ups=tuple(_row(study, plan, run) for run in plan.warm_ups()),
        demands=(
            _equal_within_seeds("equal start weights in all arms of a seed", "start_weights", done),
            _equal_within_seeds("equal first 100 batches in all arms of a seed", "first_batches", done),
            *_budget_checks(study, plan, done),
            _equal_in_all("the same kind of device", "device", done),
        ),
    )


def _row(study: Path, plan: Plan, trial: Trial) -> ParityRow:
    folder = trial_folder(study, trial)
    state = folder.state()
    return ParityRow(
        key=trial.key,
        arm=trial.arm,
        seed=trial.seed,
        state=state.state,
        images=state.images,
        seconds=state.seconds,
        gflop=plan.budget.gflop_per_image[trial.arm] * state.images if trial.arm in plan.budget.gflop_per_image else None,
        generator_passes=state.passes.get("generator", 0),
        discriminator_passes=state.passes.get("discriminator", 0),
        vgg_passes=state.passes.get("vgg", 0),
        **asdict(folder.conditions()),
    )


def _budget_checks(study: Path, plan: Plan, rows: Sequence[ParityRow]) -> list[ParityCheck]:
    budget = plan.budget
    if budget.seconds is not None:
        return [_check_seconds(study, plan, budget.seconds, rows)]
    if budget.gflop is not None:
        return [_check_compute(plan, budget.gflop, rows), _check_passes(plan, rows)]
    # Passes differ with equal images: every term that is left out saves its own.
    return [_equal_in_all("equal images", "images", rows)]


def _check_seconds(study: Path, plan: Plan, seconds: float, rows: Sequence[ParityRow]) -> ParityCheck:
    """Whether each run ended at its first report after the budget: the last row of metrics is beyond it, none before is."""
    differing, reports = [], {t.key: [r.seconds for r in trial_folder(study, t).rows()] for t in plan.trials}
    for row in rows:
        *before, last = [0.0, *reports[row.key]]
        if not (seconds <= last <= (1 + _MAX_OVERSPENT) * seconds and all(value < seconds for value in before)):
            differing.append(f"{last:.1f}")
    demand = f"{seconds:g} s of training, to the first report after that and at most {_MAX_OVERSPENT:.0%} more"
    check = _check(demand, rows, differing, "a smaller report_every ends runs closer to the budget; seconds of these runs:")
    if differing or not rows:
        return check
    spent = [row.seconds for row in rows]
    return replace(check, detail=f"{min(spent):.1f} to {max(spent):.1f} s in {len(rows)} runs")


def _check_compute(plan: Plan, gflop: float, rows: Sequence[ParityRow]) -> ParityCheck:
    batch = plan.base.optim.batch
    differing = [
        f"{row.gflop:,.0f}"
        for row in rows
        if row.gflop is not None and abs(row.gflop - gflop) > plan.budget.gflop_per_image[row.arm] * batch / 2
    ]
    return _check(f"{gflop:,.0f} GFLOP of training, to the nearest batch", rows, differing, "GFLOP")


def _check_passes(plan: Plan, rows: Sequence[ParityRow]) -> ParityCheck:
    """Whether each run made the network passes that its cost per image was counted from."""
    differing = []
    for row in rows:
        planned = plan.budget.passes_per_image[row.arm]
        made = {"generator": row.generator_passes, "discriminator": row.discriminator_passes, "vgg": row.vgg_passes}
        if any(made[network] != passes * row.images for network, passes in planned.items()):
            differing.append(f"{row.arm} seed {row.seed}")
    return _check("passes per image as counted in the plan", rows, list(dict.fromkeys(differing)), "runs")


def _equal_within_seeds(demand: str, name: Literal["start_weights", "first_batches"], rows: Sequence[ParityRow]) -> ParityCheck:
    values = {seed: {getattr(row, name) for row in rows if row.seed == seed} for seed in sorted({row.seed for row in rows})}
    return _check(demand, rows, [str(seed) for seed, found in values.items() if len(found) > 1 or None in found], "seed")


def _equal_in_all(demand: str, name: Literal["images", "device"], rows: Sequence[ParityRow]) -> ParityCheck:
    values = sorted({getattr(row, name) for row in rows}, key=str)
    return _check(demand, rows, [str(v) for v in values] if len(values) > 1 or values == [None] else [], "values")


def _check(demand: str, rows: Sequence[ParityRow], differing: Sequence[str], what: str) -> ParityCheck:
    detail = f"{what} {', '.join(differing[:6])}" if differing else f"{len(rows)} runs compared"
    return ParityCheck(demand, not differing if rows else None, detail)
