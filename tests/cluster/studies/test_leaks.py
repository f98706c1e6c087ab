"""A study leaves nothing behind: actors, placement groups, processes, file descriptors and files, however its trials end."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import ray
import ray._private.state
from ray.util import placement_group_table

from cluster.datasets.dataset import DataSet, existing
from cluster.runtime.resource_flags import TrialResources
from cluster.runtime.start import start_ray
from cluster.storage.uri import StorageURI
from cluster.studies.study_store import StudyStore
from cluster.studies.sweep import run_sweep
from facegan.config import Config
from facegan.study.design.arms import choose_design
from facegan.study.design.candidates import SearchSettings
from facegan.study.design.plan import WARM_UP, Plan, make_plan
from facegan.study.design.search_space import parse_space
from facegan.study.folder.trial_folder import trial_folder
from tests.planning import PLANNED_DATA

pytestmark = [pytest.mark.ray, pytest.mark.slow]
ONE_CPU = TrialResources(cpus_per_trial=1, gpus_per_trial=0)
MANY = 100
IN_A_TRIAL = {
    "checkpoint",
    "conditions.json",
    "config.json",
    "metrics.jsonl",
    "samples",
    "state.json",
    "timing.json",
    ".writer",
}


@pytest.fixture(scope="module")
def two_cpus() -> Iterator[None]:
    start_ray(2)
    yield
    ray.shutdown()


def plan(config: Config, seeds: int, search: SearchSettings | None = None) -> Plan:
    arms = choose_design("figure2", config, names=("full",)).arms
    return make_plan(
        config,
        arms,
        design="figure2",
        preset="demo",
        seeds=tuple(range(seeds)),
        data=PLANNED_DATA,
        commit="",
        search=search,
    )


def unscored(study: Plan) -> Plan:
    """The same trials under the name of warm-ups, which train and are not scored."""
    return replace(study, trials=tuple(replace(trial, arm=WARM_UP) for trial in study.trials))


def workers() -> list[psutil.Process]:
    """The processes below this one that are an actor of Tune: idle workers and Ray's agents have other names."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE and process.name().startswith("ray::ImplicitF"):
                found.append(process)
    return found


def held() -> dict[str, object]:
    """What the study still holds of the cluster."""
    groups = [group for group in placement_group_table().values() if group["state"] != "REMOVED"]
    actors = [actor for actor in ray._private.state.actors().values() if actor["State"] != "DEAD"]
    busy = ray.cluster_resources()["CPU"] - ray.available_resources().get("CPU", 0.0)
    return {"groups": len(groups), "actors": len(actors), "busy": busy, "workers": len(workers())}


NOTHING = {"groups": 0, "actors": 0, "busy": 0.0, "workers": 0}


def until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def sweep(study: Plan, folder: Path, data: DataSet) -> None:
    run_sweep(study, StudyStore(StorageURI(str(folder))), data, ONE_CPU)


@pytest.mark.usefixtures("two_cpus")
def test_a_hundred_trials_leave_nothing_behind(tiny: Config, data_folder: Path, tmp_path: Path) -> None:
    short = tiny.override({"images": 4, "report_every": 4, "checkpoint_every": 4, "gradient_diagnostics_every": 0})
    data = existing(StorageURI(str(data_folder)))
    sweep(unscored(plan(short, 4)), tmp_path / "first", data)  # what the first sweep of a process opens stays open
    assert until(lambda: held() == NOTHING, 30), held()
    process, temporary = psutil.Process(), set(os.listdir("/tmp"))
    before = process.num_fds()
    study = unscored(plan(short, MANY))
    sweep(study, tmp_path / "many", data)
    assert until(lambda: held() == NOTHING, 30), held()
    assert {trial_folder(tmp_path / "many", trial).state().state for trial in study.trials} == {"COMPLETED"}
    assert until(lambda: process.num_fds() <= before + 3, 30), (before, [f.path for f in process.open_files()])
    left = {path.name for trial in study.trials for path in trial_folder(tmp_path / "many", trial).path.iterdir()}
    assert left == IN_A_TRIAL
    assert {path.name for path in (tmp_path / "many").iterdir()} <= {"trials", "tune", "validation_frames.npz"}
    assert len(list((tmp_path / "many" / "trials").iterdir())) == MANY
    assert not [name for name in set(os.listdir("/tmp")) - temporary if "facegan" in name or "ray" in name.lower()]


@pytest.mark.usefixtures("two_cpus")
def test_a_failed_trial_frees_what_it_held(tiny: Config, tmp_path: Path) -> None:
    study = plan(tiny, 2)
    sweep(study, tmp_path, DataSet(str(tmp_path / "no_such_data"), 1, "0" * 64))
    assert {trial_folder(tmp_path, trial).state().state for trial in study.trials} == {"FAILED"}
    assert until(lambda: held() == NOTHING, 30), held()


@pytest.mark.usefixtures("two_cpus")
def test_trials_that_are_stopped_early_free_what_they_held(tiny: Config, data_folder: Path, tmp_path: Path) -> None:
    config = tiny.override({"images": 32, "checkpoint_every": 4, "report_every": 4, "data.validation_fraction": 0.4})
    study = plan(config, 1, SearchSettings(parse_space((), config), "random", 6, 6))
    sweep(study, tmp_path, existing(StorageURI(str(data_folder))))
    states = [trial_folder(tmp_path, trial).state().state for trial in study.trials]
    assert set(states) == {"STOPPED", "COMPLETED"}
    assert until(lambda: held() == NOTHING, 30), held()


@pytest.mark.usefixtures("two_cpus")
def test_a_killed_trial_frees_what_it_held_and_starts_again(tiny: Config, data_folder: Path, tmp_path: Path) -> None:
    study = plan(tiny.override({"images": 320}), 1)
    folder = trial_folder(tmp_path, study.trials[0])
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(sweep, study, tmp_path, existing(StorageURI(str(data_folder))))
        assert until(lambda: folder.state().images > 16 or ended.done(), 120) and not ended.done()
        (worker,) = workers()
        os.kill(worker.pid, signal.SIGKILL)
        assert until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, 30)
        ended.result()
    assert folder.state().state == "COMPLETED"
    assert until(lambda: held() == NOTHING, 30), held()
