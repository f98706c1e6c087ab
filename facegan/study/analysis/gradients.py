"""The gradient diagnostics of each arm over training: how large each term's gradient is, and which agree or conflict."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facegan.errors import UserError
from facegan.metric_names import GRADIENT_COSINE, GRADIENT_SHARE
from facegan.study.analysis.model_selection import runs_of_arms
from facegan.study.design.plan import Plan
from facegan.study.folder.trial_folder import MetricsRow, trial_folder

_LAST = 0.75
"""The last quarter of training begins after this share of the images."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A diagnostic over the last quarter of training."""

    mean: float
    lowest: float
    """The lowest of the seeds' means; of the measurements where there is one seed."""
    highest: float


@dataclass(frozen=True, slots=True)
class LastQuarter:
    """The diagnostics over the last quarter of training, up to the images that the arm's longest run has reached."""

    seeds: int
    """Runs that have reached it."""
    measurements: int
    """Rows of metrics in it, of the run that has the fewest."""
    share: dict[str, Spread]
    """By term."""
    cosine: dict[str, Spread]
    """By pair of terms 'a~b'."""


@dataclass(frozen=True, slots=True)
class ArmGradients:
    """The gradient diagnostics of an arm, means over its seeds."""

    images: tuple[int, ...]
    """[n] training images at which they were reported."""
    share: dict[str, tuple[float, ...]]
    """By term: [n] its share of the gradients with respect to the generator's parameters, 0 to 1."""
    cosine: dict[str, tuple[float, ...]]
    """By pair of terms 'a~b': [n] cosine of their gradients, -1 to 1."""
    last_quarter: LastQuarter


def gradients_of_arms(study: Path, plan: Plan) -> dict[str, ArmGradients]:
    """The diagnostics of each arm that has any.

    Raises UserError where a row of metrics lacks a diagnostic that others of its arm have.
    """
    found = {}
    for arm, trials in runs_of_arms(plan, study).items():
        runs = [
            [row for row in trial_folder(study, t).rows() if any(n.startswith(GRADIENT_SHARE) for n in row.metrics)]
            for t in trials
        ]
        runs = [run for run in runs if run]
        if runs:
            shares, cosines = ([n for n in runs[0][0].metrics if n.startswith(p)] for p in (GRADIENT_SHARE, GRADIENT_COSINE))
            images = tuple(sorted({row.images for run in runs for row in run}))
            share, cosine = (
                {_term(name): tuple(_mean(runs, name, at) for at in images) for name in names} for names in (shares, cosines)
            )
            found[arm] = ArmGradients(images, share, cosine, _last_quarter(runs, shares, cosines, images[-1]))
    return found


def _term(name: str) -> str:
    """The term or pair of terms of a metric's name."""
    return name.partition("/")[2]


def _mean(runs: list[list[MetricsRow]], name: str, images: int) -> float:
    rows = [row.metrics for run in runs for row in run if row.images == images]
    if any(name not in row for row in rows):
        raise UserError(f"metrics.jsonl is damaged: a row at {images} images lacks {name!r}; restore it from a copy")
    return float(np.mean([row[name] for row in rows]))


def _last_quarter(runs: list[list[MetricsRow]], shares: list[str], cosines: list[str], reached: int) -> LastQuarter:
    late = [rows for run in runs if (rows := [row.metrics for row in run if row.images > _LAST * reached])]
    return LastQuarter(
        seeds=len(late),
        measurements=min(len(rows) for rows in late),
        share={_term(name): _spread(late, name) for name in shares},
        cosine={_term(name): _spread(late, name) for name in cosines},
    )


def _spread(late: list[list[dict[str, float]]], name: str) -> Spread:
    """Of the rows [seeds][measurements] of the last quarter."""
    seeds = [float(np.mean([row[name] for row in rows])) for rows in late]
    spread = seeds if len(late) > 1 else [row[name] for row in late[0]]
    return Spread(float(np.mean(seeds)), min(spread), max(spread))
