"""A folder that a node does not see is refused; the message names its flag."""

from pathlib import Path

import pytest
from ray.cluster_utils import Cluster

from cluster.runtime.shared_paths import check_shared_paths
from facegan.errors import UserError

pytestmark = pytest.mark.ray


def test_every_node_that_runs_tasks_must_see_the_folders(idle_head: Cluster, tmp_path: Path) -> None:
    seen, unseen = tmp_path / "seen", tmp_path / "unseen"
    seen.touch()
    check_shared_paths({"--study": unseen})  # there is only the driver's node, which is not asked
    idle_head.add_node(num_cpus=1)
    idle_head.wait_for_nodes()
    check_shared_paths({"--study": seen})
    with pytest.raises(UserError, match=f"--data: node .* does not see {unseen}; name a folder that all nodes share"):
        check_shared_paths({"--study": seen, "--data": unseen})
