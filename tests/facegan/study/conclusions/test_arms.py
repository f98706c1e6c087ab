"""The scores of an arm."""

from pathlib import Path

import numpy as np
import pytest

from facegan.config import Config
from facegan.study.analysis.model_selection import best_trials
from facegan.study.conclusions.summary import summarise_study
from facegan.study.folder.trial_folder import trial_folder
from tests.facegan.study.planted_study import REFERENCES, finish_trial, make_study, planted_card


def test_scores_of_an_arm_are_means_over_the_best_candidate_of_each_seed(tmp_path: Path, tiny: Config) -> None:
    plan = make_study(tmp_path, tiny, seeds=[1, 2], candidates=2)
    full = [t for t in plan.trials if t.arm == "full"]
    means = {(1, 0): (20, 9.0), (1, 1): (50, 9.5), (2, 0): (70, 8.0), (2, 1): (30, 7.0)}
    for trial in full:
        face_error, validation = means[trial.seed, trial.candidate]
        finish_trial(tmp_path, trial, planted_card(face_error, 0.1, 0.3), face_error=validation)
    arm = summarise_study(tmp_path, plan, REFERENCES).arms[3]
    chosen = [t for t in full if (t.seed, t.candidate) in ((1, 0), (2, 1))]
    assert arm.scored == tuple(t.key for t in chosen)
    assert arm.trials_completed == 4
    expected = np.mean([trial_folder(tmp_path, t).scores()["face_error"].mean for t in chosen])  # type: ignore[index, arg-type]
    assert arm.scores["face_error"].mean == pytest.approx(expected)
    assert best_trials(plan, tmp_path) == {"full": chosen[0]}
