"""The cluster that a study would run on now: trials at once, nodes, and their price."""

import os

from cluster.runtime.resource_flags import TrialResources
from facegan.study.cost.estimate import Cluster
from facegan.study.cost.prices import HEAD_USD_PER_HOUR, price_of_gpu

_ACCELERATOR = "accelerator_type:"


def present_cluster(resources: TrialResources, usd_per_hour: float | None, *, workers: int = 1) -> Cluster:
    """The cluster with Ray running. `usd_per_hour` is that of a node that runs trials; by default the list price of its GPU."""
    at_once = 1 if workers > 1 else resources.at_most()
    nodes, device = _nodes()
    uses_gpu = resources.resources()["gpu"] > 0
    name = "this machine" if "RAY_ADDRESS" not in os.environ else "present cluster"
    return Cluster(
        f"{name}, {nodes} node{'s' * (nodes != 1)}",
        at_once,
        nodes,
        price_now(usd_per_hour),
        device=device if uses_gpu else "cpu",
    )


def this_machine(resources: TrialResources, usd_per_hour: float | None, *, workers: int = 1) -> Cluster:
    """The CPUs of this machine, without starting Ray."""
    at_once = 1 if workers > 1 else max(1, int((os.cpu_count() or 1) / resources.cpus_per_trial))
    return Cluster(f"this machine, {os.cpu_count()} CPUs", at_once, 1, usd_per_hour, device="cpu")


def price_now(usd_per_hour: float | None) -> float | None:
    """Dollars an hour of the nodes that are there, and of the head where the price is that of a GPU node; None if unknown."""
    nodes, device = _nodes()
    if usd_per_hour is not None:
        return nodes * usd_per_hour
    price = price_of_gpu(device)
    return None if price is None else nodes * price.usd_per_hour + HEAD_USD_PER_HOUR


def _nodes() -> tuple[int, str]:
    """Number of nodes that run tasks, and the name of their GPU or 'cpu'."""
    import ray

    alive = [node["Resources"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    gpus = [name.removeprefix(_ACCELERATOR) for node in alive for name in node if name.startswith(_ACCELERATOR)]
    return max(1, len(alive)), gpus[0] if gpus else "cpu"
