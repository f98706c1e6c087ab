"""infra/cluster.yaml against Ray's own schema, as `ray up` prepares it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

CLUSTER = Path(__file__).parent.parent.parent / "infra" / "cluster.yaml"


@pytest.fixture
def written() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(CLUSTER.read_text())
    return loaded


def test_it_passes_rays_schema(written: dict[str, Any]) -> None:
    validate_config(prepare_config(written))


def test_the_schema_check_can_fail(written: dict[str, Any]) -> None:
    written["max_workerz"] = 3
    with pytest.raises(Exception, match="max_workerz"):
        validate_config(prepare_config(written))


def test_the_head_never_trains_and_gpus_start_from_none(written: dict[str, Any]) -> None:
    types = written["available_node_types"]
    assert types["head"]["resources"] == {"CPU": 0}
    assert any("--num-cpus=0" in command for command in written["head_start_ray_commands"])
    workers = [t for name, t in types.items() if name != "head"]
    assert all(t["min_workers"] == 0 and t["resources"]["GPU"] >= 1 for t in workers)


def test_no_node_takes_rays_default_image(written: dict[str, Any]) -> None:
    for name, node in written["available_node_types"].items():
        assert node["node_config"]["ImageId"].startswith("resolve:ssm:/aws/service/"), name
        assert node["node_config"]["MetadataOptions"] == {"HttpTokens": "required"}
