"""Asking a cluster that grows by itself for GPUs, and waiting for them: how many trials run at once is settled at the start."""

import ray

from cluster.runtime.start import total
from facegan.errors import UserError

_MINUTES = 20
"""A node is asked for within seconds, boots in two minutes and installs in about five; refused spot takes another round."""


class _Holder:
    """Holds a GPU until it is ended, so that each that is asked for must be another one."""

    def here(self) -> None:
        """Answers once the GPU is there."""


def wait_for_gpus(wanted: int, minutes: float = _MINUTES) -> None:
    """Return when the cluster has so many GPUs, or after some minutes with fewer, but at least one; else a UserError."""
    if total("GPU") >= wanted:
        return
    print(
        f"gpus     asking for {wanted}, waiting up to {minutes:g} minutes (ray status says what the cluster does)", flush=True
    )
    holders = [ray.remote(num_cpus=0, num_gpus=1)(_Holder).remote() for _ in range(wanted)]
    come, _ = ray.wait([holder.here.remote() for holder in holders], num_returns=wanted, timeout=60 * minutes)
    for holder in holders:
        ray.kill(holder)
    if not come:
        raise UserError(
            f"--gpus is {wanted}: none came in {minutes:g} minutes; `ray status` says why, such as a quota of 0 or no capacity"
        )
    print(f"gpus     {len(come)} are there" + (f", going on with them of {wanted}" if len(come) < wanted else ""), flush=True)
