"""infra/cluster.yaml against Ray's schema and botocore's model of RunInstances, and the autoscaler's choice of node types."""

import copy
import stat
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.loader import load_function_or_class
from ray.autoscaler._private.node_provider_availability_tracker import NodeAvailabilitySummary, NodeProviderAvailabilityTracker
from ray.autoscaler._private.resource_demand_scheduler import _default_utilization_scorer, get_nodes_for
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.autoscaler.node_launch_exception import NodeLaunchException

from infra.aws.spot_first import score
from infra.aws.stack import CLUSTER
from tests.infra.aws.ec2_model import validation_errors

ROOT = CLUSTER.parent.parent


@pytest.fixture
def config() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(CLUSTER.read_text())
    return copy.deepcopy(loaded)  # a YAML alias is the same object in several places


def node_configs(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: node["node_config"] for name, node in config["available_node_types"].items()}


def test_cluster_file_passes_rays_schema(config: dict[str, Any]) -> None:
    validate_config(prepare_config(config))


def test_rays_schema_rejects_an_unknown_field(config: dict[str, Any]) -> None:
    config["max_workerz"] = 3
    with pytest.raises(Exception, match="max_workerz"):
        validate_config(prepare_config(config))


@pytest.mark.parametrize("name", ["head", "gpu_spot", "gpu_a10g_spot", "gpu_on_demand"])
def test_ec2_model_accepts_every_field_of_a_node(config: dict[str, Any], name: str) -> None:
    assert validation_errors(node_configs(config)[name]) == []


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["MetadataOptions", "HttpTokenz"], "required", "HttpTokenz"),
        (["MetadataOptions", "HttpTokens"], "requird", "'requird'"),
        (["InstanceMarketOptions", "SpotOptions", "SpotInstanceType"], "onetime", "'onetime'"),
        (["BlockDeviceMappings", 0, "Ebs", "VolumeSize"], "100GB", "VolumeSize"),
        (["TagSpecifications", 0, "ResourceTyp"], "instance", "ResourceTyp"),
    ],
)
def test_ec2_model_reports_a_mistake_that_rays_schema_accepts(
    config: dict[str, Any], path: list[Any], value: Any, message: str
) -> None:
    node: Any = node_configs(config)["gpu_spot"]
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    validate_config(prepare_config(config))  # accepts it
    found = validation_errors(node_configs(config)["gpu_spot"])
    assert len(found) == 1
    assert message in found[0]


def test_head_has_no_cpus_and_workers_start_at_zero(config: dict[str, Any]) -> None:
    types = config["available_node_types"]
    assert types["head"]["resources"] == {"CPU": 0}
    assert any("--num-cpus=0" in command for command in config["head_start_ray_commands"])
    workers = [node for name, node in types.items() if name != "head"]
    assert all(node["min_workers"] == 0 and node["resources"]["GPU"] >= 1 for node in workers)


def test_nodes_share_setup_commands_imdsv2_encrypted_disks_and_tags(config: dict[str, Any]) -> None:
    for name, node in node_configs(config).items():
        assert node["MetadataOptions"]["HttpTokens"] == "required", name
        assert all(disk["Ebs"]["Encrypted"] and disk["Ebs"]["DeleteOnTermination"] for disk in node["BlockDeviceMappings"]), (
            name
        )
        kinds = {spec["ResourceType"]: spec["Tags"] for spec in node["TagSpecifications"]}
        assert {"Key": "project", "Value": config["cluster_name"]} in kinds["instance"], name
        assert {"Key": "ray-cluster-name", "Value": config["cluster_name"]} in kinds["volume"], name
    assert not any("setup_commands" in node for node in config["available_node_types"].values())


def test_dashboard_is_on_loopback_and_ray_requires_the_token(config: dict[str, Any]) -> None:
    assert any("--dashboard-host=127.0.0.1" in command for command in config["head_start_ray_commands"])
    assert config["file_mounts"]["/home/ubuntu/.ray/auth_token"] == "~/.ray/auth_token"
    assert "\nRAY_AUTH_MODE=token\n" in (CLUSTER.parent / "aws" / "node.sh").read_text()


def test_file_mounts_exist_and_include_all_that_installation_needs(config: dict[str, Any]) -> None:
    local = {Path(path) for path in config["file_mounts"].values() if not path.startswith("~")}
    assert all((ROOT / path).exists() for path in local)
    assert {Path(p) for p in ("facegan", "cluster", "jobs", "infra", "pyproject.toml", "constraints.txt", "Makefile")} <= local


def test_setup_commands_run_scripts_that_exist(config: dict[str, Any]) -> None:
    commands = " ".join(config["setup_commands"] + config["worker_setup_commands"])
    for script in ("infra/aws/node.sh", "infra/aws/packages.sh", "infra/aws/end_when_orphaned.sh"):
        assert script in commands
        assert (ROOT / script).stat().st_mode & stat.S_IRUSR


def added(config: dict[str, Any], gpus: int, availability: NodeAvailabilitySummary, score: Any = score) -> dict[str, int]:
    """Number of nodes per type that Ray's autoscaler would start for jobs that request `gpus` GPUs."""
    config = prepare_config(config)
    scorer = partial(score, node_availability_summary=availability)
    demand = [{"GPU": 1.0, "CPU": 1.0}] * gpus
    nodes, _ = get_nodes_for(config["available_node_types"], {}, "head", config["max_workers"], demand, scorer)
    return dict(nodes)


def refusal(*kinds: str) -> NodeAvailabilitySummary:
    """Availability after AWS has refused these node types."""
    tracker = NodeProviderAvailabilityTracker()
    for kind in kinds:
        tracker.update_node_availability(
            kind, int(time.time()), NodeLaunchException("InsufficientInstanceCapacity", "no spot capacity", None)
        )
    return tracker.summary()


def test_gpu_demand_starts_spot_nodes(config: dict[str, Any]) -> None:
    assert added(config, 3, refusal()) == {"gpu_spot": 3}


def test_refused_spot_starts_the_other_type_and_then_on_demand_nodes(config: dict[str, Any]) -> None:
    assert added(config, 2, refusal("gpu_spot")) == {"gpu_a10g_spot": 2}
    assert added(config, 2, refusal("gpu_spot", "gpu_a10g_spot")) == {"gpu_on_demand": 2}


def test_rays_own_scorer_requests_refused_spot_again(config: dict[str, Any]) -> None:
    """If this fails, infra/aws/spot_first.py is not needed any more."""
    assert added(config, 2, refusal("gpu_spot"), _default_utilization_scorer) == {"gpu_spot": 2}


def test_head_start_command_sets_the_scorer(config: dict[str, Any]) -> None:
    start = " ".join(config["head_start_ray_commands"])
    name = f"{score.__module__}.{score.__name__}"
    assert load_function_or_class(name) is score
    assert f"RAY_AUTOSCALER_UTILIZATION_SCORER={name} " in start
    assert "RAY_enable_autoscaler_v2=0" in start  # version 2 has no hook for a scorer
