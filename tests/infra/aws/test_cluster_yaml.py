"""infra/cluster.yaml against Ray's schema, EC2's own description of RunInstances, and Ray's choice among its kinds of node."""

import copy
import stat
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.node_provider_availability_tracker import NodeAvailabilitySummary, NodeProviderAvailabilityTracker
from ray.autoscaler._private.resource_demand_scheduler import _default_utilization_scorer, get_nodes_for
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.autoscaler.node_launch_exception import NodeLaunchException

from infra.aws.spot_first import score
from infra.aws.stack import CLUSTER
from tests.infra.aws.ec2_model import complaints

ROOT = CLUSTER.parent.parent


@pytest.fixture
def written() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(CLUSTER.read_text())
    return copy.deepcopy(loaded)  # YAML's aliases are one object each


def node_configs(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: node["node_config"] for name, node in config["available_node_types"].items()}


def test_it_passes_rays_schema(written: dict[str, Any]) -> None:
    validate_config(prepare_config(written))


def test_the_schema_check_can_fail(written: dict[str, Any]) -> None:
    written["max_workerz"] = 3
    with pytest.raises(Exception, match="max_workerz"):
        validate_config(prepare_config(written))


@pytest.mark.parametrize("name", ["head", "gpu_spot", "gpu_on_demand"])
def test_ec2_knows_every_field_of_a_node(written: dict[str, Any], name: str) -> None:
    assert complaints(node_configs(written)[name]) == []


@pytest.mark.parametrize(
    ("path", "planted", "said"),
    [
        (["MetadataOptions", "HttpTokenz"], "required", "HttpTokenz"),
        (["MetadataOptions", "HttpTokens"], "requird", "'requird'"),
        (["InstanceMarketOptions", "SpotOptions", "SpotInstanceType"], "onetime", "'onetime'"),
        (["BlockDeviceMappings", 0, "Ebs", "VolumeSize"], "100GB", "VolumeSize"),
        (["TagSpecifications", 0, "ResourceTyp"], "instance", "ResourceTyp"),
    ],
)
def test_a_mistake_inside_node_config_is_named(written: dict[str, Any], path: list[Any], planted: Any, said: str) -> None:
    node: Any = node_configs(written)["gpu_spot"]
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = planted
    validate_config(prepare_config(written))  # Ray sees nothing
    found = complaints(node_configs(written)["gpu_spot"])
    assert len(found) == 1
    assert said in found[0]


def test_the_head_never_trains_and_gpus_start_from_none(written: dict[str, Any]) -> None:
    types = written["available_node_types"]
    assert types["head"]["resources"] == {"CPU": 0}
    assert any("--num-cpus=0" in command for command in written["head_start_ray_commands"])
    workers = [node for name, node in types.items() if name != "head"]
    assert all(node["min_workers"] == 0 and node["resources"]["GPU"] >= 1 for node in workers)


def test_every_node_is_set_up_alike_and_guards_its_metadata_and_disks(written: dict[str, Any]) -> None:
    for name, node in node_configs(written).items():
        assert node["MetadataOptions"]["HttpTokens"] == "required", name
        assert all(disk["Ebs"]["Encrypted"] and disk["Ebs"]["DeleteOnTermination"] for disk in node["BlockDeviceMappings"]), (
            name
        )
        kinds = {spec["ResourceType"]: spec["Tags"] for spec in node["TagSpecifications"]}
        assert {"Key": "project", "Value": written["cluster_name"]} in kinds["instance"], name
        assert {"Key": "ray-cluster-name", "Value": written["cluster_name"]} in kinds["volume"], name
    assert not any("setup_commands" in node for node in written["available_node_types"].values())


def test_ray_answers_neither_the_world_nor_who_has_no_token(written: dict[str, Any]) -> None:
    assert any("--dashboard-host=127.0.0.1" in command for command in written["head_start_ray_commands"])
    assert written["file_mounts"]["/home/ubuntu/.ray/auth_token"] == "~/.ray/auth_token"
    assert "\nRAY_AUTH_MODE=token\n" in (CLUSTER.parent / "aws" / "node.sh").read_text()


def test_what_travels_to_the_nodes_is_there_and_enough_to_install(written: dict[str, Any]) -> None:
    local = {Path(path) for path in written["file_mounts"].values() if not path.startswith("~")}
    assert all((ROOT / path).exists() for path in local)
    assert {Path(p) for p in ("facegan", "cluster", "jobs", "infra", "pyproject.toml", "constraints.txt", "Makefile")} <= local


def test_the_commands_name_files_that_are_there(written: dict[str, Any]) -> None:
    commands = " ".join(written["setup_commands"] + written["worker_setup_commands"])
    for script in ("infra/aws/node.sh", "infra/aws/end_when_orphaned.sh"):
        assert script in commands
        assert (ROOT / script).stat().st_mode & stat.S_IRUSR


def added(config: dict[str, Any], gpus: int, refused: NodeAvailabilitySummary, score: Any = score) -> dict[str, int]:
    """What Ray's autoscaler would start for jobs that ask for so many GPUs."""
    config = prepare_config(config)
    scorer = partial(score, node_availability_summary=refused)
    asked = [{"GPU": 1.0, "CPU": 1.0}] * gpus
    nodes, _ = get_nodes_for(config["available_node_types"], {}, "head", config["max_workers"], asked, scorer)
    return dict(nodes)


def refusal(*kinds: str) -> NodeAvailabilitySummary:
    tracker = NodeProviderAvailabilityTracker()
    for kind in kinds:
        tracker.update_node_availability(
            kind, int(time.time()), NodeLaunchException("InsufficientInstanceCapacity", "no spot today", None)
        )
    return tracker.summary()


def test_gpus_are_asked_for_on_spot(written: dict[str, Any]) -> None:
    assert added(written, 3, refusal()) == {"gpu_spot": 3}


def test_refused_spot_falls_back_to_on_demand(written: dict[str, Any]) -> None:
    assert added(written, 2, refusal("gpu_spot")) == {"gpu_on_demand": 2}


def test_rays_own_choice_would_be_the_refused_kind_again(written: dict[str, Any]) -> None:
    """Once this fails, infra/aws/spot_first.py has become superfluous."""
    assert added(written, 2, refusal("gpu_spot"), _default_utilization_scorer) == {"gpu_spot": 2}


def test_the_head_is_told_to_use_the_scorer(written: dict[str, Any]) -> None:
    start = " ".join(written["head_start_ray_commands"])
    assert f"RAY_AUTOSCALER_UTILIZATION_SCORER={score.__module__}.{score.__name__} " in start
    assert "RAY_enable_autoscaler_v2=0" in start  # the other autoscaler has no such hook
