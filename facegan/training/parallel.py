"""Data parallelism from torch.distributed alone; every function is the identity where no process group exists."""

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


def rank_and_world() -> tuple[int, int]:
    """This process's rank and the number of processes."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def wrap(module: nn.Module, device: torch.device) -> nn.Module:
    """The module with its gradients averaged over the processes in every backward pass."""
    if not dist.is_initialized():
        return module
    # broadcast_buffers=False: with it, two forward passes before a backward fail (pytorch#175024).
    ids = [device] if device.type == "cuda" else None
    return DistributedDataParallel(module, device_ids=ids, broadcast_buffers=False, gradient_as_bucket_view=True)


def mean_over_ranks(values: Tensor) -> Tensor:
    """The average of a tensor over the processes."""
    if not dist.is_initialized():
        return values
    total = values.clone()
    dist.all_reduce(total)
    return total / dist.get_world_size()


def any_rank(flag: bool, device: torch.device) -> bool:
    """Whether the flag is set in at least one process."""
    if not dist.is_initialized():
        return flag
    value = torch.tensor(int(flag), device=device)
    dist.all_reduce(value, dist.ReduceOp.MAX)
    return bool(value.item())
