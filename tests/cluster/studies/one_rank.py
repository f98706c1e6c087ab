"""One process of a data-parallel run, for a test that starts several: what it imports, each of them imports."""

import os
from pathlib import Path

import torch
import torch.distributed as dist

from facegan import trial
from facegan.config import Config
from facegan.training.state import new_state


def one_rank(rank: int, world: int, port: int, config: Config, out: str) -> None:
    """Write what the rank answers when it asks whether two budgets are over; its own clock is ahead by its number."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo"}
    dist.init_process_group("gloo", rank=rank, world_size=world)
    state = new_state(config, torch.device("cpu"))
    state.seconds = 4.0 + rank
    answers = [trial._is_over(state, seconds) for seconds in (4.5, 5.5)]
    Path(f"{out}{rank}").write_text(str(answers))
    dist.destroy_process_group()
