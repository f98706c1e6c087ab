"""The scorer of a study: loads evaluators and looks at real frames once, whatever the number of trials."""

from pathlib import Path

import pytest
import torch

from facegan import scorer
from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.metrics.evaluation_set import prepare_evaluation_set
from facegan.metrics.evaluators import Evaluators, build_evaluators
from facegan.metrics.validation import Validation
from facegan.scorer import Scorer
from facegan.trial import TrialRun, run_trials
from facegan.trial_storage import LocalStorage


@pytest.mark.slow
def test_trials_one_after_the_other_share_what_is_prepared(
    data: FaceData, tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def build(*arguments: object) -> Evaluators:
        made.append("evaluators")
        return build_evaluators(*arguments)  # type: ignore[arg-type]

    def prepare(*arguments: object) -> object:
        made.append("evaluation set")
        return prepare_evaluation_set(*arguments)  # type: ignore[arg-type]

    def validate(*arguments: object) -> Validation:
        made.append("validation")
        return Validation(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(scorer, "build_evaluators", build)
    monkeypatch.setattr(scorer, "prepare_evaluation_set", prepare)
    monkeypatch.setattr(scorer, "Validation", validate)
    shared, config = Scorer(data), tiny.override({"images": 8, "checkpoint_every": 8})
    for key in ("one", "two"):
        run = TrialRun(config, LocalStorage(tmp_path, key))
        assert run_trials([run], data, torch.device("cpu"), lambda place, metrics: None, shared) == ["COMPLETED"]
    assert sorted(made) == ["evaluation set", "evaluators", "validation"]
    one, two = (LocalStorage(tmp_path, key).folder.scores() for key in ("one", "two"))
    assert one is not None and one == two
    # Another share of held-out people is another validation.
    shared.validation(config.override({"data.validation_fraction": 0.4}), lambda name: tmp_path / "others" / name)
    assert made.count("validation") == 2
