"""Nodes that join or are lost while a study runs. Each node is a raylet of this machine."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil
import pytest
import ray
from ray.cluster_utils import Cluster

from cluster.datasets.dataset import existing
from cluster.runtime.resource_flags import TrialResources
from cluster.storage.uri import StorageURI
from cluster.studies.study_store import StudyStore
from cluster.studies.sweep import run_sweep
from facegan.config import Config
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import Plan, make_plan
from facegan.study.folder.trial_folder import TrialFolder, trial_folder
from tests.planning import PLANNED_DATA

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def plan(config: Config, seeds: tuple[int, ...], *arms: str) -> Plan:
    design = choose_design("figure2", config, names=arms)
    return make_plan(config, design.arms, design="figure2", preset="demo", seeds=seeds, data=PLANNED_DATA, commit="")


def sweep(study: Plan, folder: Path, data_folder: Path) -> None:
    store, data = StudyStore(StorageURI(str(folder))), existing(StorageURI(str(data_folder)))
    run_sweep(study, store, data, TrialResources(cpus_per_trial=1, gpus_per_trial=0))


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def running(folders: list[TrialFolder]) -> int:
    return sum(folder.state().state == "RUNNING" for folder in folders)


def test_a_node_that_joins_later_is_used(
    idle_head: Cluster, tiny: Config, data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Soon after it has joined, so that fewer trials have to be left by then.
    monkeypatch.setattr("cluster.studies.tune_callbacks._LOOK_EVERY_SECONDS", 0.5)
    idle_head.add_node(num_cpus=1)
    study = plan(
        tiny.override({"images": 320, "checkpoint_every": 32}), (0, 1), "no_pixel", "no_feature", "no_consistency", "full"
    )
    folders = [trial_folder(tmp_path, trial) for trial in study.trials]
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(sweep, study, tmp_path, data_folder)
        until(lambda: running(folders) == 1 or ended.done())
        idle_head.add_node(num_cpus=1)
        until(lambda: running(folders) == 2 or ended.done())
        assert not ended.done()
        ended.result()
    assert [folder.state().state for folder in folders] == ["COMPLETED"] * 8


def _has_more_images(folder: TrialFolder, before: int, ended: "Future[None]") -> bool:
    return folder.state().images > before or ended.done()


def kill_raylet(raylet: psutil.Process) -> None:
    """As where a network fails: nobody hears of the node's end."""
    raylet.kill()


def kill_all(raylet: psutil.Process) -> None:
    """As where a spot node is shut down: its connections are closed before its raylet could tell of its workers."""
    workers = raylet.children(recursive=True)
    raylet.suspend()
    for process in (*workers, raylet):
        process.kill()


@pytest.fixture
def lost_soon(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a Ray that is started after this sees within seconds that a node is lost, in place of 15 seconds."""
    if request.param:
        monkeypatch.setenv("RAY_health_check_period_ms", "300")
        monkeypatch.setenv("RAY_health_check_failure_threshold", "3")
    return bool(request.param)


def lose_nodes(
    losses: Sequence[Callable[[psutil.Process], None]], cluster: Cluster, config: Config, data: Path, folder: Path
) -> None:
    """Train a trial on one node after another, each of which is lost."""
    study = plan(config.override({"images": 480, "checkpoint_every": 32}), (0,), "full")
    trial = trial_folder(folder, study.trials[0])
    node = cluster.add_node(num_cpus=1)
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(sweep, study, folder, data)
        for lose in losses:
            before = trial.state().images
            until(partial(_has_more_images, trial, before, ended))
            assert not ended.done()
            lose(psutil.Process(node.all_processes["raylet"][0].process.pid))
            node = cluster.add_node(num_cpus=1)
        ended.result()
    assert trial.state().state == "COMPLETED"


@pytest.mark.parametrize("lost_soon", [True, False], indirect=True, ids=["silent", "shut down"])
def test_lost_nodes_are_no_failures_of_a_trial(
    lost_soon: bool,
    idle_head: Cluster,
    tiny: Config,
    data_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A trial that may fail once loses two nodes. Where one is shut down, its connections close before Ray misses it."""
    monkeypatch.setattr("cluster.studies.sweep.RETRIES", 1)
    losses = [kill_raylet, kill_all] if lost_soon else [kill_all, kill_all]
    lose_nodes(losses, idle_head, tiny, data_folder, tmp_path)
    assert capfd.readouterr().out.count("Full seed 0 lost its node, starts again from its checkpoint on another one") == 2


def test_rays_command_keeps_new_work_from_the_node(idle_head: Cluster) -> None:
    """`ray drain-node` is not documented: what infra/aws/spot_notice.sh relies on."""
    node = idle_head.add_node(num_cpus=1)
    ask = ray.remote(num_cpus=1)(lambda: ray.get_runtime_context().get_node_id())
    assert ray.get(ask.remote(), timeout=60) == node.node_id
    options = ["--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "test", "--deadline-remaining-seconds", "110"]
    command = [
        str(Path(sys.executable).parent / "ray"),
        "drain-node",
        "--address",
        idle_head.address,
        "--node-id",
        node.node_id,
        *options,
    ]
    subprocess.run(command, check=True, capture_output=True)
    time.sleep(2)
    other = idle_head.add_node(num_cpus=1)
    assert ray.get([ask.remote() for _ in range(3)], timeout=60) == [other.node_id] * 3
