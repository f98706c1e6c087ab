"""Check that every node sees the folders of a job: workers cannot read a folder on the driver's own disk."""

from collections.abc import Mapping
from pathlib import Path

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from cluster.storage.backends import remote_forms
from facegan.errors import UserError


def check_shared_paths(files: Mapping[str, Path]) -> None:
    """Raise UserError if a node that runs tasks does not see one of the files.

    `files` has an existing file for each flag that named a folder.
    """
    here = ray.get_runtime_context().get_node_id()
    others = [n for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU") and n["NodeID"] != here]
    task = ray.remote(num_cpus=0)(_unseen)
    paths = {flag: str(path.resolve()) for flag, path in files.items()}
    answers = [
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(paths)
        for node in others
    ]
    for node, flags in zip(others, ray.get(answers), strict=True):
        for flag in flags:
            raise UserError(
                f"{flag}: node {node['NodeManagerAddress']} does not see {files[flag]}; name a folder "
                f"that all nodes share, or {' or '.join(remote_forms())}"
            )


def _unseen(paths: dict[str, str]) -> list[str]:
    return [flag for flag, path in paths.items() if not Path(path).exists()]
