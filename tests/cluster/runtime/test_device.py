"""A trial runs on the device that Ray assigned, or fails."""

from pathlib import Path

import pytest
import ray
import torch
from ray.cluster_utils import Cluster

from cluster.runtime import trial_resources
from cluster.runtime.device import assigned_device
from facegan.config import Config
from facegan.errors import UserError

pytestmark = [pytest.mark.ray, pytest.mark.skipif(torch.cuda.is_available(), reason="simulates a GPU that torch cannot use")]


def test_an_unusable_gpu_is_refused_and_the_cpu_is_used_without_a_gpu(idle_head: Cluster) -> None:
    idle_head.add_node(num_cpus=1, num_gpus=1)
    ask = ray.remote(num_cpus=1)(lambda: assigned_device().type)
    assert ray.get(ask.remote()) == "cpu"
    with pytest.raises(
        ray.exceptions.RayTaskError, match=r"node \S+ has a GPU for Ray that torch \S+ cannot use: run jobs/doctor"
    ):
        ray.get(ask.options(num_gpus=0.5).remote())


def test_measuring_an_unusable_gpu_is_a_user_error(idle_head: Cluster, tiny: Config, tmp_path: Path) -> None:
    idle_head.add_node(num_cpus=1, num_gpus=1)
    with pytest.raises(UserError, match=r"^node \S+ has a GPU for Ray that torch \S+ cannot use: run jobs/doctor.py there$"):
        trial_resources._measure_and_save(tiny, tmp_path, (1,), device="cuda")
    assert not list(tmp_path.iterdir())
