"""Waiting for GPUs on a cluster whose nodes come later, as an autoscaler adds them."""

import threading
from collections.abc import Iterator

import pytest
import ray
from ray.cluster_utils import Cluster

from cluster.grow import wait_for_gpus
from facegan.config import UserError

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture
def empty_cluster() -> Iterator[Cluster]:
    """A head that runs nothing."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def add_later(cluster: Cluster, nodes: int) -> threading.Thread:
    def add() -> None:
        for _ in range(nodes):
            cluster.add_node(num_cpus=1, num_gpus=1)

    thread = threading.Thread(target=add)
    thread.start()
    return thread


def test_it_waits_until_all_are_there_and_gives_them_back(empty_cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    coming = add_later(empty_cluster, 2)
    wait_for_gpus(2, minutes=2)
    coming.join()
    assert "2 are there\n" in capsys.readouterr().out
    assert ray.get(ray.remote(num_gpus=2, num_cpus=0)(lambda: 1).options(num_gpus=1).remote(), timeout=60) == 1


def test_it_goes_on_with_fewer(empty_cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    coming = add_later(empty_cluster, 1)
    wait_for_gpus(2, minutes=0.5)
    coming.join()
    assert "going on with them of 2" in capsys.readouterr().out


def test_none_at_all_is_one_line(empty_cluster: Cluster) -> None:
    with pytest.raises(UserError, match="--gpus is 2: none came in"):
        wait_for_gpus(2, minutes=0.02)
