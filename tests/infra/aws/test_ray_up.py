"""`ray up infra/cluster.yaml` as far as the first SSH, against a mocked EC2, in a network namespace that leads nowhere.

There because EC2's mock invents public addresses and Ray dials them.
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
KINDS = ["head", "gpu_spot", "gpu_on_demand"]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    for program in ("unshare", "ip", "ssh", "rsync"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode:
        pytest.skip("no right to make a network namespace: run as root with CAP_SYS_ADMIN")
    home = tmp_path_factory.mktemp("home")
    told = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RAY_"))}
    command = ["unshare", "--net", sys.executable, "-m", "tests.infra.aws.pretend_aws", str(home / "found.json")]
    run = subprocess.run(
        command, cwd=ROOT, env={**told, "HOME": str(home), "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=420
    )
    assert run.returncode == 0, run.stderr[-4000:]
    read: dict[str, Any] = json.loads((home / "found.json").read_text())
    return read


@pytest.fixture
def asked(found: dict[str, Any]) -> dict[str, dict[str, str]]:
    """What RunInstances was told for each kind of node."""
    return {tags(call, "instance")["ray-user-node-type"]: call for call in found["asked"]}


def tags(call: dict[str, str], resource: str) -> dict[str, str]:
    """The tags that a call gives to one kind of resource."""
    spec = next(
        key.removesuffix("ResourceType") for key, value in call.items() if key.endswith("ResourceType") and value == resource
    )
    keys = {
        key.removesuffix("Key"): value for key, value in call.items() if key.startswith(f"{spec}Tag.") and key.endswith(".Key")
    }
    return {name: call[f"{place}Value"] for place, name in keys.items()}


def test_without_the_setup_it_ends_before_it_has_made_anything(found: dict[str, Any]) -> None:
    assert found["before_setup"]["returncode"] != 0
    assert "with template name facegan-worker, does not exist" in found["before_setup"]["said"]
    assert [group["GroupName"] for group in found["groups_before_setup"]] == ["default"]


def test_it_gets_as_far_as_ssh(found: dict[str, Any]) -> None:
    assert found["setup"]["returncode"] == 0, found["setup"]["said"]
    assert "Waiting for SSH to become available" in found["up"]["said"]


def test_each_kind_of_node_was_asked_for_once(asked: dict[str, Any], found: dict[str, Any]) -> None:
    assert sorted(asked) == sorted(KINDS)
    assert len(found["asked"]) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_types_are_those_of_the_file(asked: dict[str, dict[str, str]], kind: str) -> None:
    written = yaml.safe_load(CLUSTER.read_text())["available_node_types"][kind]["node_config"]
    assert asked[kind]["InstanceType"] == written["InstanceType"]


def test_only_spot_is_spot(asked: dict[str, dict[str, str]]) -> None:
    markets = {kind: call.get("InstanceMarketOptions.MarketType") for kind, call in asked.items()}
    assert markets == {"head": None, "gpu_spot": "spot", "gpu_on_demand": None}
    assert asked["gpu_spot"]["InstanceMarketOptions.SpotOptions.SpotInstanceType"] == "one-time"


@pytest.mark.parametrize("kind", KINDS)
def test_disks_are_encrypted_and_go_with_the_node(asked: dict[str, dict[str, str]], kind: str) -> None:
    call = asked[kind]
    disks = {key.split(".")[1] for key in call if key.startswith("BlockDeviceMapping.")}
    assert disks == {"1"}
    disk = "BlockDeviceMapping.1.Ebs."
    assert (call[f"{disk}Encrypted"], call[f"{disk}DeleteOnTermination"], call[f"{disk}VolumeType"]) == ("true", "true", "gp3")


@pytest.mark.parametrize("kind", KINDS)
def test_metadata_need_a_token(asked: dict[str, dict[str, str]], kind: str) -> None:
    assert asked[kind]["MetadataOptions.HttpTokens"] == "required"


@pytest.mark.parametrize("kind", KINDS)
def test_nodes_and_disks_carry_the_cost_tag_and_the_clusters(asked: dict[str, dict[str, str]], kind: str) -> None:
    for resource in ("instance", "volume"):
        assert tags(asked[kind], resource)["project"] == "facegan"
        assert tags(asked[kind], resource)["ray-cluster-name"] == "facegan"


def test_head_and_workers_have_different_profiles(asked: dict[str, dict[str, str]]) -> None:
    profiles = {kind: call["IamInstanceProfile.Arn"] for kind, call in asked.items()}
    assert profiles["gpu_spot"] == profiles["gpu_on_demand"] != profiles["head"]


def test_all_nodes_are_in_one_group_of_ours_that_only_the_owner_enters(
    asked: dict[str, dict[str, str]], found: dict[str, Any]
) -> None:
    (group_id,) = {call["SecurityGroupId.1"] for call in asked.values()}
    assert not any("SecurityGroupId.2" in call for call in asked.values())
    (group,) = [group for group in found["groups"] if group["GroupId"] == group_id]
    assert group["GroupName"] == "facegan-nodes"
    outside = {r["CidrIp"] for rule in group["IpPermissions"] for r in rule["IpRanges"]}
    assert outside == {"203.0.113.7/32"}


def test_ray_made_no_group_and_no_role_of_its_own(found: dict[str, Any]) -> None:
    assert {group["GroupName"] for group in found["groups"]} == {"default", "facegan-nodes"}
    assert "0.0.0.0/0" not in json.dumps([group["IpPermissions"] for group in found["groups"]])


def test_workers_that_power_off_are_gone(asked: dict[str, dict[str, str]]) -> None:
    assert {asked[kind]["InstanceInitiatedShutdownBehavior"] for kind in KINDS[1:]} == {"terminate"}


def test_the_teardown_ends_all_of_it(found: dict[str, Any]) -> None:
    assert found["teardown"]["returncode"] == 0, found["teardown"]["said"]
    assert found["left"]["nodes"] == []
    assert len(found["left"]["ended"]) == len(KINDS)
    assert found["left"]["volumes"] == []
