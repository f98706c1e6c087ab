"""The device that Ray gave to this process."""

import ray
import torch

from facegan.errors import UserError


def assigned_device() -> torch.device:
    """The GPU of this task, actor or Ray Train worker, or the CPU where it was given none; outside Ray a GPU if there is one.

    A UserError where it was given a GPU that torch cannot use: it would go on a hundred times slower and say nothing.
    """
    if not ray.is_initialized():
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    given = ray.get_runtime_context().get_accelerator_ids()["GPU"]
    if not given:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UserError(
            f"node {ray.util.get_node_ip_address()} has a GPU for Ray that torch {torch.__version__} cannot use: "
            "run jobs/doctor.py there"
        )
    return torch.device("cuda")
