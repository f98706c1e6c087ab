"""A data-parallel run whose workers fail."""

from pathlib import Path

import pytest

from cluster.datasets.dataset import DataSet
from cluster.storage.uri import StorageURI
from cluster.studies.data_parallel import run_data_parallel
from cluster.studies.study_store import StudyStore
from facegan.config import Config
from facegan.study.design.arms import Arm
from facegan.study.design.plan import make_plan
from facegan.study.folder.trial_folder import trial_folder
from tests.planning import PLANNED_DATA

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.usefixtures("one_cpu"),
    pytest.mark.filterwarnings("ignore:.[a-z_0-9]+. is deprecated:DeprecationWarning"),  # of Ray's own settings
]


def test_each_failure_of_a_worker_is_told_and_the_third_is_the_runs(
    tiny: Config, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arms = (Arm("single", "Single", ()),)
    plan = make_plan(tiny, arms, design="single", preset="demo", seeds=(3,), data=PLANNED_DATA, commit="")
    store, gone = StudyStore(StorageURI(str(tmp_path / "study"))), DataSet(str(tmp_path / "no_such_data"), 1, "0" * 64)
    run_data_parallel(plan.trials[0], plan.name_of(plan.trials[0]), store, gone, workers=1, gpu=False, silent_seconds=60)
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith("trial ")]
    then = ["starts again from its checkpoint"] * 2 + ["is given up"]
    for number, (line, what) in enumerate(zip(lines, then, strict=True), 1):
        assert line.startswith(f"trial    Single seed 3 failed {number} of 3 times, {what}: worker 0: ")
        assert "no_such_data" in line
    state = trial_folder(store.folder, plan.trials[0]).state()
    assert state.state == "FAILED" and "no_such_data" in state.error
