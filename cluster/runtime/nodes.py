"""Run a function on every node of the cluster, such as to look at its disk."""

from collections.abc import Callable
from typing import Any, TypeVar

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

R = TypeVar("R")


def on_other_nodes(function: Callable[..., R], *arguments: Any, with_cpus: bool = False) -> list[tuple[str, R]]:
    """Call a function on each living node but this one, with Ray running; returns its address and the answer for each.

    `with_cpus` leaves out nodes that run no tasks.
    """
    here = ray.get_runtime_context().get_node_id()
    nodes = [node for node in ray.nodes() if node["Alive"] and node["NodeID"] != here]
    nodes = [node for node in nodes if node["Resources"].get("CPU") or not with_cpus]
    task = ray.remote(num_cpus=0)(function)
    answers = [
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(*arguments)
        for node in nodes
    ]
    return [(node["NodeManagerAddress"], answer) for node, answer in zip(nodes, ray.get(answers), strict=True)]
