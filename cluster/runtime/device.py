"""The torch device that Ray assigned to this process."""

import ray
import torch

from facegan.errors import UserError


def assigned_device() -> torch.device:
    """Return the GPU of this task, actor or Ray Train worker; the CPU if Ray assigned none; outside Ray, a GPU if there is one.

    Raises UserError if torch cannot use the assigned GPU. Training on the CPU instead would be a hundred times slower.
    """
    if not ray.is_initialized():
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    assigned = ray.get_runtime_context().get_accelerator_ids()["GPU"]
    if not assigned:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UserError(
            f"node {ray.util.get_node_ip_address()} has a GPU for Ray that torch {torch.__version__} cannot use: "
            "run jobs/doctor.py there"
        )
    return torch.device("cuda")
