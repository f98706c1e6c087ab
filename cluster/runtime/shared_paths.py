"""Whether every node sees the folders that a job names: a folder of the driver's own disk is none that workers can read."""

from collections.abc import Mapping
from pathlib import Path

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from facegan.errors import UserError


def check_shared_paths(files: Mapping[str, Path]) -> None:
    """Refuse a file, given by the flag that named its folder, which a node that takes work does not see."""
    here = ray.get_runtime_context().get_node_id()
    others = [n for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU") and n["NodeID"] != here]
    ask = ray.remote(num_cpus=0)(_unseen)
    paths = {flag: str(path.resolve()) for flag, path in files.items()}
    asked = [
        ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(paths)
        for node in others
    ]
    for node, flags in zip(others, ray.get(asked), strict=True):
        for flag in flags:
            raise UserError(
                f"{flag}: node {node['NodeManagerAddress']} does not see {files[flag]}; name a folder "
                "that all nodes share, or s3://bucket/prefix"
            )


def _unseen(paths: dict[str, str]) -> list[str]:
    return [flag for flag, path in paths.items() if not Path(path).exists()]
