"""The gradient_diagnostics of each arm's loss over training, from its rows of metrics: who rules, who fights."""

from pathlib import Path
from typing import Any

import numpy as np

from facegan.gradient_diagnostics import COSINE, SHARE
from facegan.study.analysis.model_selection import runs_of_arms
from facegan.study.design.plan import Plan
from facegan.study.folder.trial_folder import trial_folder


def gradients_of_arms(study: Path, plan: Plan) -> dict[str, dict[str, Any]]:
    """By arm: `images` [n], and the means over its seeds of `share` {term: [n]} and `cosine` {'a~b': [n]}; arms not measured
    are left out."""
    found = {}
    for arm, trials in runs_of_arms(plan, study).items():
        runs = [[row for row in trial_folder(study, t).rows() if any(n.startswith(SHARE) for n in row)] for t in trials]
        images = sorted({row["images"] for run in runs for row in run})
        if images:
            names = [name for name in next(run for run in runs if run)[0] if name.startswith((SHARE, COSINE))]
            means = {name: [_mean(runs, name, at) for at in images] for name in names}
            shares = {n.partition("/")[2]: v for n, v in means.items() if n.startswith(SHARE)}
            cosines = {n.partition("/")[2]: v for n, v in means.items() if n.startswith(COSINE)}
            found[arm] = {
                "images": images,
                "share": shares,
                "cosine": cosines,
                "last_quarter": _rule_and_fight(shares, cosines),
            }
    return found


def _mean(runs: list[list[dict[str, Any]]], name: str, images: int) -> float:
    return float(np.mean([row[name] for run in runs for row in run if row["images"] == images]))


def _rule_and_fight(share: dict[str, list[float]], cosine: dict[str, list[float]]) -> dict[str, Any]:
    """Over the last quarter of training: the term with the largest share, and the pair of terms that fights most."""
    shares, cosines = ({n: float(np.mean(v[-max(1, len(v) // 4) :])) for n, v in rows.items()} for rows in (share, cosine))
    rules = max(shares, key=lambda term: shares[term])
    fights = min(cosines, key=lambda pair: cosines[pair]) if cosines else None
    return {
        "rules": rules,
        "share": shares[rules],
        "fights": fights.split("~") if fights else [],
        "cosine": cosines[fights] if fights else None,
    }
