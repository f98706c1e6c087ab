"""A job whose tasks cannot start prints the reason soon."""

import time
from collections.abc import Callable, Iterator

import pytest
import ray
from ray.cluster_utils import Cluster

from cluster.runtime import ray_results, waiting
from cluster.runtime.waiting import explain_waiting, why_waiting

pytestmark = pytest.mark.ray


@pytest.fixture
def short_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (ray_results, waiting):
        monkeypatch.setattr(module, "EXPLAIN_EVERY_SECONDS", 0.3)


def eventually(holds: Callable[[], bool]) -> bool:
    """Ray updates its free resources with a delay."""
    deadline = time.monotonic() + 30
    while not (found := holds()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def hold() -> None:
    time.sleep(60)


def numbers() -> Iterator[int]:
    yield 1


def test_missing_resources_are_named_until_they_join(
    idle_head: Cluster, short_interval: None, capsys: pytest.CaptureFixture[str]
) -> None:
    task = ray.remote(num_cpus=1, num_returns="streaming")(numbers).remote()
    with explain_waiting(lambda: False, {"CPU": 1, "GPU": 0}):
        time.sleep(0.8)
    said = capsys.readouterr().out
    assert said.count("waiting  no node has 1 CPU (nodes: 0 CPU and 0 GPU)") >= 2
    idle_head.add_node(num_cpus=1)
    assert ray_results.next_of(ray_results.first_ready([task], {"CPU": 1})) == 1
    assert eventually(lambda: why_waiting({"CPU": 1, "GPU": 0.0}) is None)
    assert "no node has 1 CPU and 0.5 GPU" in str(why_waiting({"CPU": 1, "GPU": 0.5}))


def test_a_busy_cluster_is_not_called_too_small(idle_head: Cluster) -> None:
    idle_head.add_node(num_cpus=1)
    holder = ray.remote(num_cpus=1)(hold).remote()
    assert eventually(lambda: why_waiting({"CPU": 1}) is not None)
    assert "1 CPU are needed and 0 CPU are free" in str(why_waiting({"CPU": 1}))
    ray.cancel(holder, force=True)


def test_nothing_is_printed_after_a_task_has_started(short_interval: None, capsys: pytest.CaptureFixture[str]) -> None:
    with explain_waiting(lambda: True, {"CPU": 1000}):
        time.sleep(0.8)
    assert capsys.readouterr().out == ""
