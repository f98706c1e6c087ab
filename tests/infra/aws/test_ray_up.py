"""`ray up infra/cluster.yaml` as far as the first SSH connection, against a mocked EC2.

It runs in an empty network namespace: the mock invents public addresses, and Ray would connect to them.
"""

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest
import yaml

from infra.aws.stack import CLUSTER

pytestmark = [pytest.mark.integration, pytest.mark.slow]
ROOT = CLUSTER.parent.parent
KINDS = ["head", "gpu_spot", "gpu_a10g_spot", "gpu_on_demand"]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    for program in ("unshare", "ip", "ssh", "rsync"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode:
        pytest.skip("no right to make a network namespace: run as root with CAP_SYS_ADMIN")
    home = tmp_path_factory.mktemp("home")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RAY_"))}
    command = ["unshare", "--net", sys.executable, "-m", "tests.infra.aws.ray_up_on_mock", str(home / "found.json")]
    run = subprocess.run(
        command,
        cwd=ROOT,
        env={**environment, "HOME": str(home), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=420,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    read: dict[str, Any] = json.loads((home / "found.json").read_text())
    return read


@pytest.fixture
def requests(found: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Parameters of the RunInstances request for each node type."""
    return {tags(call, "instance")["ray-user-node-type"]: call for call in found["requests"]}


def tags(call: dict[str, str], resource: str) -> dict[str, str]:
    """Tags that a request sets on a type of resource, `instance` or `volume`."""
    spec = next(
        key.removesuffix("ResourceType") for key, value in call.items() if key.endswith("ResourceType") and value == resource
    )
    keys = {
        key.removesuffix("Key"): value for key, value in call.items() if key.startswith(f"{spec}Tag.") and key.endswith(".Key")
    }
    return {name: call[f"{place}Value"] for place, name in keys.items()}


def test_ray_up_without_setup_fails_and_creates_nothing(found: dict[str, Any]) -> None:
    assert found["before_setup"]["returncode"] != 0
    assert "with template name facegan-worker, does not exist" in found["before_setup"]["output"]
    assert [group["GroupName"] for group in found["groups_before_setup"]] == ["default"]


def test_ray_up_after_setup_waits_for_ssh(found: dict[str, Any]) -> None:
    assert found["setup"]["returncode"] == 0, found["setup"]["output"]
    assert "Waiting for SSH to become available" in found["up"]["output"]


def test_each_node_type_is_requested_once(requests: dict[str, Any], found: dict[str, Any]) -> None:
    assert sorted(requests) == sorted(KINDS)
    assert len(found["requests"]) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_instance_types_are_those_of_the_cluster_file(requests: dict[str, dict[str, str]], kind: str) -> None:
    written = yaml.safe_load(CLUSTER.read_text())["available_node_types"][kind]["node_config"]
    assert requests[kind]["InstanceType"] == written["InstanceType"]


def test_only_spot_types_request_the_spot_market(requests: dict[str, dict[str, str]]) -> None:
    markets = {kind: call.get("InstanceMarketOptions.MarketType") for kind, call in requests.items()}
    assert markets == {"head": None, "gpu_spot": "spot", "gpu_a10g_spot": "spot", "gpu_on_demand": None}
    assert requests["gpu_spot"]["InstanceMarketOptions.SpotOptions.SpotInstanceType"] == "one-time"


@pytest.mark.parametrize("kind", KINDS)
def test_disks_are_encrypted_and_deleted_with_the_node(requests: dict[str, dict[str, str]], kind: str) -> None:
    call = requests[kind]
    disks = {key.split(".")[1] for key in call if key.startswith("BlockDeviceMapping.")}
    assert disks == {"1"}
    disk = "BlockDeviceMapping.1.Ebs."
    assert (call[f"{disk}Encrypted"], call[f"{disk}DeleteOnTermination"], call[f"{disk}VolumeType"]) == ("true", "true", "gp3")


@pytest.mark.parametrize("kind", KINDS)
def test_instance_metadata_require_a_token(requests: dict[str, dict[str, str]], kind: str) -> None:
    assert requests[kind]["MetadataOptions.HttpTokens"] == "required"


@pytest.mark.parametrize("kind", KINDS)
def test_nodes_and_disks_have_the_project_and_cluster_tags(requests: dict[str, dict[str, str]], kind: str) -> None:
    for resource in ("instance", "volume"):
        assert tags(requests[kind], resource)["project"] == "facegan"
        assert tags(requests[kind], resource)["ray-cluster-name"] == "facegan"


def test_head_and_workers_have_different_instance_profiles(requests: dict[str, dict[str, str]]) -> None:
    profiles = {kind: call["IamInstanceProfile.Arn"] for kind, call in requests.items()}
    assert profiles["gpu_spot"] == profiles["gpu_on_demand"] != profiles["head"]


def test_all_nodes_are_in_the_stacks_security_group_with_ssh_from_the_owner_only(
    requests: dict[str, dict[str, str]], found: dict[str, Any]
) -> None:
    (group_id,) = {call["SecurityGroupId.1"] for call in requests.values()}
    assert not any("SecurityGroupId.2" in call for call in requests.values())
    (group,) = [group for group in found["groups"] if group["GroupId"] == group_id]
    assert group["GroupName"] == "facegan-nodes"
    outside = {r["CidrIp"] for rule in group["IpPermissions"] for r in rule["IpRanges"]}
    assert outside == {"203.0.113.7/32"}


def test_ray_creates_no_security_group_of_its_own(found: dict[str, Any]) -> None:
    assert {group["GroupName"] for group in found["groups"]} == {"default", "facegan-nodes"}
    assert "0.0.0.0/0" not in json.dumps([group["IpPermissions"] for group in found["groups"]])


def test_workers_that_power_off_are_terminated(requests: dict[str, dict[str, str]]) -> None:
    assert {requests[kind]["InstanceInitiatedShutdownBehavior"] for kind in KINDS[1:]} == {"terminate"}


def test_teardown_terminates_all_nodes_and_deletes_all_disks(found: dict[str, Any]) -> None:
    assert found["teardown"]["returncode"] == 0, found["teardown"]["output"]
    assert found["remaining"]["nodes"] == []
    assert len(found["remaining"]["ended"]) == len(KINDS)
    assert found["remaining"]["volumes"] == []
