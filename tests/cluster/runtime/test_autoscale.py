"""Waiting for GPUs on a cluster whose nodes join later, as with an autoscaler."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import ray
from ray.cluster_utils import Cluster

from cluster.runtime.autoscale import wait_for_gpus
from cluster.runtime.resource_flags import TrialResources
from facegan.errors import UserError


@pytest.mark.ray
@pytest.mark.slow
def test_the_first_gpu_is_enough_and_all_are_released(idle_head: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait_for_gpus, 2, minutes=3)
        assert not waiting.done()
        idle_head.add_node(num_cpus=1, num_gpus=1)
        waiting.result()
    assert "1 of 2 are there; the other 1 are used when they join" in capsys.readouterr().out
    assert ray.get(ray.remote(num_cpus=0, num_gpus=1)(lambda: 1).remote(), timeout=60) == 1
    idle_head.add_node(num_cpus=1, num_gpus=1)
    wait_for_gpus(2, minutes=0)
    assert capsys.readouterr().out == ""


@pytest.mark.ray
@pytest.mark.slow
def test_no_gpu_after_the_limit_is_a_user_error(idle_head: Cluster) -> None:
    with pytest.raises(UserError, match="--gpus is 2: none came"):
        wait_for_gpus(2, minutes=0.02)


def test_a_negative_number_of_gpus_is_refused() -> None:
    with pytest.raises(UserError, match="--gpus is -1"):
        TrialResources(gpus=-1)
