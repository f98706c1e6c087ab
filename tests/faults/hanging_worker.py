"""A worker of a data-parallel run that hangs: the others do not wait for ever, and the run ends as if nothing had happened.

It takes minutes, so only `make faults` runs it.
"""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import ray
import torch

from cluster.datasets.dataset import existing
from cluster.runtime.start import start_ray
from cluster.storage.uri import StorageURI
from cluster.studies.data_parallel import run_data_parallel
from cluster.studies.study_store import StudyStore
from facegan.config import Config
from facegan.data.reading.face_data import FaceData
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import make_plan
from facegan.study.folder.trial_folder import trial_folder
from facegan.trial import TrialRun, run_trial
from tests.planning import PLANNED_DATA

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # Ray Train warns of what Ray Data deprecates
]


@pytest.fixture(autouse=True)
def local_ray() -> Iterator[None]:
    """Ray on this machine."""
    start_ray()
    yield
    ray.shutdown()


def workers() -> list[psutil.Process]:
    """Processes of Ray Train's workers under this one."""
    return [p for p in psutil.Process().children(recursive=True) if "RayTrainWorker" in " ".join(p.cmdline())]


def test_a_worker_that_hangs_is_replaced(
    tiny: Config, data: FaceData, data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.studies.data_parallel._SILENT_SECONDS", 15)
    config = tiny.override({"images": 640, "checkpoint_every": 32})
    arms = choose_design("figure2", config, names=("full",)).arms
    plan = make_plan(config, arms, design="figure2", preset="demo", seeds=(0,), data=PLANNED_DATA, commit="")
    (trial,) = plan.trials
    store, folder = StudyStore(StorageURI(str(tmp_path / "study"))), trial_folder(tmp_path / "study", trial)
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(run_data_parallel, trial, store, existing(StorageURI(str(data_folder))), workers=2, gpu=False)
        while not (folder.state().images >= 64 and workers()) and not ended.done():
            time.sleep(0.02)
        assert not ended.done(), folder.state()
        hanging = workers()[0]
        hanging.send_signal(signal.SIGSTOP)
        try:
            ended.result(timeout=400)
        finally:
            if hanging.is_running():
                hanging.kill()
    assert folder.state().state == "COMPLETED", folder.state().error
    with StudyStore(StorageURI(str(tmp_path / "alone"))).trial("key") as alone:
        run_trial(TrialRun(trial.config, alone), data, torch.device("cpu"), lambda _: None)
    rows = folder.rows()
    assert [row.images for row in rows] == [row.images for row in alone.folder.rows()]
    assert rows[1].metrics["loss/pixel"] == pytest.approx(alone.folder.rows()[1].metrics["loss/pixel"], rel=5e-3)
