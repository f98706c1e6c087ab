"""Ask an autoscaling cluster for GPUs before a study starts."""

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
    """Request GPUs, and return when the cluster has the first; UserError if there is none after `minutes`.

    The others are used when they join (`cluster.studies.tune_callbacks.GrowWithCluster`).
    """
    if total("GPU") >= wanted:
        return
    print(
        f"gpus     asking for {wanted}, waiting up to {minutes:g} minutes for the first (`ray status` shows progress)",
        flush=True,
    )
    holders = [ray.remote(num_cpus=0, num_gpus=1)(_GpuHolder).remote() for _ in range(wanted)]
    running, _ = ray.wait([holder.is_running.remote() for holder in holders], timeout=60 * minutes)
    for holder in holders:
        ray.kill(holder)
    if not running:
        raise UserError(
            f"--gpus is {wanted}: none came in {minutes:g} minutes; `ray status` shows why, such as a quota of 0 or no capacity"
        )
    there = total("GPU")
    more = f"; the other {wanted - there:g} are used when they join" if there < wanted else ""
    print(f"gpus     {there:g} of {wanted} are there{more}", flush=True)
