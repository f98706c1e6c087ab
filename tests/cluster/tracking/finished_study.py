"""A finished study with curves, scores and checkpoints, without training, for tests of what MLflow gets."""

import math
from pathlib import Path

from facegan.config import Config
from facegan.files import write_json
from facegan.study.conclusions.summary import summarise_study
from facegan.study.design.plan import Plan
from facegan.study.folder.trial_folder import MetricsRow, trial_folder
from tests.facegan.study.planted_study import finish_trial, planted_card
from tests.live_study import WITHOUT_CHECKPOINT, live_study

IMAGES = (8, 16, 24, 32)
FOLLOWING = {"full": 0.9, "no_consistency": 0.7, "no_pixel": 0.5, WITHOUT_CHECKPOINT: 0.1}
"""The planted target following of the arms."""


def finished_study(root: Path, config: Config, data_folder: Path, seeds: tuple[int, ...] = (0, 1)) -> Plan:
    """The arms of Figure 2 with falling losses of every term that an arm uses; one of them has no checkpoint."""
    plan = live_study(root, config, data_folder, FOLLOWING, seeds=seeds)
    for number, trial in enumerate(plan.trials):
        folder = trial_folder(root, trial)
        folder.path.mkdir(parents=True, exist_ok=True)
        if trial.arm == WITHOUT_CHECKPOINT:
            finish_trial(root, trial, planted_card(30, 0.25, 0.9, following=FOLLOWING[trial.arm]))
        for images in IMAGES:
            loss = (1 + 0.1 * number) * math.exp(-images / 16)
            metrics = {"images_per_second": 8.0, "loss/generator": 2 * loss, "loss/discriminator": 1.0}
            metrics |= {f"loss/{term}": loss for term in trial.config.loss.active()}
            metrics |= {f"weighted/{term}": loss for term in trial.config.loss.active()}
            folder.append_row(MetricsRow(images, images / 8, 1e9 + images, metrics | {"validation/selection_score": loss}))
    write_json(root / "summary.json", summarise_study(root, plan))
    return plan
