"""A folder that a node does not see is refused by the flag that named it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from cluster.seen import check_seen_everywhere
from facegan.config import UserError

pytestmark = pytest.mark.ray


@pytest.fixture
def two_nodes() -> Iterator[Cluster]:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def test_every_node_that_takes_work_is_asked(two_nodes: Cluster, tmp_path: Path) -> None:
    seen, unseen = tmp_path / "seen", tmp_path / "unseen"
    seen.touch()
    check_seen_everywhere({"--study": unseen})  # nobody but the driver's own node, which made it
    two_nodes.add_node(num_cpus=1)
    two_nodes.wait_for_nodes()
    check_seen_everywhere({"--study": seen})
    with pytest.raises(UserError, match=f"--data: node .* does not see {unseen}; name a folder that all nodes share"):
        check_seen_everywhere({"--study": seen, "--data": unseen})
