"""The gradient diagnostics of each arm over training: which terms dominate the loss, and which terms oppose each other."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facegan.errors import UserError
from facegan.metric_names import GRADIENT_COSINE, GRADIENT_SHARE
from facegan.study.analysis.model_selection import runs_of_arms
from facegan.study.design.plan import Plan
from facegan.study.folder.trial_folder import MetricsRow, trial_folder


@dataclass(frozen=True, slots=True)
class LastQuarter:
    """The terms that matter most over the last quarter of training."""

    dominant: str
    """The term with the largest share of the gradient."""
    share: float
    opposed: tuple[str, ...]
    """The pair of terms with the lowest cosine; empty with a single term."""
    cosine: float | None


@dataclass(frozen=True, slots=True)
class ArmGradients:
    """The gradient diagnostics of an arm, means over its seeds."""

    images: tuple[int, ...]
    """[n] training images at which they were measured."""
    share: dict[str, tuple[float, ...]]
    """By term: [n] share of the gradient at the generated image."""
    cosine: dict[str, tuple[float, ...]]
    """By pair of terms 'a~b': [n] cosine of their gradients."""
    last_quarter: LastQuarter


def gradients_of_arms(study: Path, plan: Plan) -> dict[str, ArmGradients]:
    """The diagnostics of each arm that has any."""
    found = {}
    for arm, trials in runs_of_arms(plan, study).items():
        runs = [
            [row for row in trial_folder(study, t).rows() if any(n.startswith(GRADIENT_SHARE) for n in row.metrics)]
            for t in trials
        ]
        images = sorted({row.images for run in runs for row in run})
        if images:
            names = next(run for run in runs if run)[0].metrics
            means = {
                name: tuple(_mean(runs, name, at) for at in images)
                for name in names
                if name.startswith((GRADIENT_SHARE, GRADIENT_COSINE))
            }
            share = {n.partition("/")[2]: v for n, v in means.items() if n.startswith(GRADIENT_SHARE)}
            cosine = {n.partition("/")[2]: v for n, v in means.items() if n.startswith(GRADIENT_COSINE)}
            found[arm] = ArmGradients(tuple(images), share, cosine, _last_quarter(share, cosine))
    return found


def _mean(runs: list[list[MetricsRow]], name: str, images: int) -> float:
    rows = [row.metrics for run in runs for row in run if row.images == images]
    if any(name not in row for row in rows):
        raise UserError(f"metrics.jsonl is damaged: a row at {images} images lacks {name!r}; restore it from a copy")
    return float(np.mean([row[name] for row in rows]))


def _last_quarter(share: dict[str, tuple[float, ...]], cosine: dict[str, tuple[float, ...]]) -> LastQuarter:
    shares, cosines = ({n: float(np.mean(v[-max(1, len(v) // 4) :])) for n, v in rows.items()} for rows in (share, cosine))
    dominant = max(shares, key=lambda term: shares[term])
    opposed = min(cosines, key=lambda pair: cosines[pair]) if cosines else ""
    return LastQuarter(
        dominant, shares[dominant], tuple(opposed.split("~")) if opposed else (), cosines[opposed] if opposed else None
    )
