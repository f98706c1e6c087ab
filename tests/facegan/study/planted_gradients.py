"""Study folders with planted gradient diagnostics."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from facegan.config import Config
from facegan.study.design.plan import Plan
from facegan.study.folder.trial_folder import MetricsRow, trial_folder
from tests.facegan.study.planted_study import make_study

Row = Mapping[str, float]


def gradients_study(root: Path, config: Config, arms: Mapping[str, Sequence[Mapping[int, Row]]]) -> Plan:
    """A study with the arms of Figure 2, in whose trials of `arms` rows are planted: by arm, seed and images."""
    plan = make_study(root, config, seeds=list(range(max(len(seeds) for seeds in arms.values()))))
    for arm, seeds in arms.items():
        trials = sorted((trial for trial in plan.trials if trial.arm == arm), key=lambda trial: trial.seed)
        for trial, rows in zip(trials, seeds, strict=False):
            folder = trial_folder(root, trial)
            folder.path.mkdir(parents=True)
            for images, row in rows.items():
                metrics = {f"gradient_{name}": value for name, value in row.items()}
                folder.append_row(MetricsRow(images, 1.0, 0.0, {"loss/pixel": 1.0, **metrics}))
    return plan


def row(share: float, cosine: float) -> Row:
    """A row of two terms: the share of pixel, and the cosine of pixel and identity."""
    return {"share/pixel": share, "share/identity": 1 - share, "cosine/pixel~identity": cosine}
