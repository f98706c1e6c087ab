"""A study with a checkpoint for all arms but one, without training, for tests of its live page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from facegan.config import Config
from facegan.data.reading.local_copy import read_newest
from facegan.data.versions.manifest import manifest_hash
from facegan.files import write_json
from facegan.study.conclusions.summary import summarise_study
from facegan.study.design.plan import Plan, PlannedData
from facegan.study.folder.trial_folder import trial_folder
from facegan.training import checkpoint
from facegan.training.state import new_state
from tests.facegan.study.planted_study import finish_trial, make_study, planted_card

WITHOUT_CHECKPOINT = "no_feature"


def live_study(
    root: Path, config: Config, data_folder: Path, following: Mapping[str, float] | None = None, **options: Any
) -> Plan:
    """The four arms of Figure 2, whose generators have other random weights each, and planted scores in summary.json.

    `following` is the target following of some arms. `options` are those of `make_study`.
    """
    manifest = read_newest(data_folder)
    data = PlannedData(str(data_folder), 1, manifest_hash(manifest), manifest.synthetic, manifest.rows, 0)
    plan = make_study(root, config, data=data, **options)
    for number, trial in enumerate(trial for trial in plan.trials if trial.arm != WITHOUT_CHECKPOINT):
        state, random = new_state(trial.config, torch.device("cpu")), torch.Generator().manual_seed(number)
        with torch.no_grad():
            for parameter in state.generator.parameters():
                parameter.normal_(0, 0.1, generator=random)
        folder = trial_folder(root, trial)
        folder.path.mkdir(parents=True)
        checkpoint.save(state, folder.checkpoint)
        card = planted_card(22 + number, 0.15, 0.4, seed=number, following=(following or {}).get(trial.arm, 0.9))
        finish_trial(root, trial, card)
    write_json(root / "summary.json", summarise_study(root, plan))
    return plan
