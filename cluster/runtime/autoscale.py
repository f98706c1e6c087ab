"""Ask an autoscaling cluster for GPUs before a study starts, because the number of concurrent trials is fixed at the start."""

import ray

from cluster.runtime.start import total
from facegan.errors import UserError

_MINUTES = 20
"""A node is requested within seconds, boots in two minutes and installs in about five; a refused spot request repeats this."""


class _GpuHolder:
    """An actor that occupies one GPU until it is killed, so that each actor needs another GPU."""

    def is_running(self) -> None:
        """Return once the actor runs, that is, once its GPU is available."""


def wait_for_gpus(wanted: int, minutes: float = _MINUTES) -> None:
    """Return when the cluster has this many GPUs, or after `minutes` with at least one; UserError if there is none then."""
    if total("GPU") >= wanted:
        return
    print(f"gpus     asking for {wanted}, waiting up to {minutes:g} minutes (`ray status` shows progress)", flush=True)
    holders = [ray.remote(num_cpus=0, num_gpus=1)(_GpuHolder).remote() for _ in range(wanted)]
    running, _ = ray.wait([holder.is_running.remote() for holder in holders], num_returns=wanted, timeout=60 * minutes)
    for holder in holders:
        ray.kill(holder)
    if not running:
        raise UserError(
            f"--gpus is {wanted}: none came in {minutes:g} minutes; `ray status` shows why, such as a quota of 0 or no capacity"
        )
    short = f"; continuing without the other {wanted - len(running)}" if len(running) < wanted else ""
    print(f"gpus     {len(running)} are there{short}", flush=True)
