"""A small trained study, in which one arm has no result."""

from pathlib import Path

import pytest
import torch

from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.study.design.plan import Plan
from facegan.study.folder.trial_folder import MetricsRow, trial_folder
from facegan.training import checkpoint
from facegan.training.state import new_state
from facegan.training.train import train
from tests.facegan.study.planted_study import finish_trial, make_study, planted_card

WITHOUT_RESULT = "no_feature"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, tiny: Config, data: FaceData) -> tuple[Path, Plan]:
    """A study of four arms, of which all but one are trained for a few steps."""
    root = tmp_path_factory.mktemp("study")
    plan = make_study(root, tiny)
    for trial in plan.trials:
        if trial.arm == WITHOUT_RESULT:
            continue
        folder, state = trial_folder(root, trial), new_state(trial.config, torch.device("cpu"))
        folder.path.mkdir(parents=True)
        for progress in train(state, data):
            errors = {"validation/face_error": 30.0} if progress.at_checkpoint else {}
            folder.append_row(MetricsRow(progress.images, progress.seconds, 0.0, progress.metrics | errors))
        checkpoint.save(state, folder.checkpoint)
        finish_trial(root, trial, planted_card(22 if trial.arm == "full" else 29, 0.15, 0.4, seed=len(trial.arm)))
    return root, plan
