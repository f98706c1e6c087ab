"""infra/aws/stack.yaml: checked with cfn-lint, and deployed to a mocked AWS."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from cfnlint.api import lint
from cfnlint.decode.decode import decode_str

from infra.aws.stack import CLUSTER, TEMPLATE, read_stack
from tests.infra.aws.commands import BUCKET, OWNER, empty_account, run_setup

REGIONS = ["us-east-1", "us-west-2", "eu-central-1", "eu-north-1", "ap-northeast-1", "ap-southeast-3"]
NODES = {name: node["node_config"] for name, node in yaml.safe_load(CLUSTER.read_text())["available_node_types"].items()}


@pytest.mark.slow
def test_template_passes_cfn_lint() -> None:
    assert [str(match) for match in lint(TEMPLATE.read_text(), regions=REGIONS)] == []


@pytest.mark.slow
def test_cfn_lint_rejects_an_unknown_property() -> None:
    broken = TEMPLATE.read_text().replace("SecurityGroupIngress:\n", "SecurityGroupIngres:\n")
    assert any("SecurityGroupIngres" in str(match) for match in lint(broken))


def test_template_has_no_yaml_aliases() -> None:
    """CloudFormation does not support them."""
    assert not [e for e in yaml.parse(TEMPLATE.read_text()) if isinstance(e, yaml.AliasEvent)]


def test_template_makes_the_bucket_versioned_private_and_without_unfinished_uploads() -> None:
    """Read from the template, because the mock ignores these properties."""
    bucket = decode_str(TEMPLATE.read_text())[0]["Resources"]["Bucket"]
    properties = bucket["Properties"]
    assert bucket["DeletionPolicy"] == "Retain"
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    days = [rule.get("AbortIncompleteMultipartUpload") for rule in properties["LifecycleConfiguration"]["Rules"]]
    assert {"DaysAfterInitiation": 1} in days


@pytest.fixture(scope="module")
def account(moto_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[boto3.session.Session]:
    home = tmp_path_factory.mktemp("home")
    with empty_account(moto_server, home) as session:
        output = run_setup("--bucket", BUCKET)
        assert output.endswith("next     ray up infra/cluster.yaml\n")
        yield session


@pytest.mark.s3
def test_setup_creates_the_launch_templates_of_the_cluster_file(account: boto3.session.Session) -> None:
    found = account.client("ec2").describe_launch_templates()["LaunchTemplates"]
    assert {node["LaunchTemplate"]["LaunchTemplateName"] for node in NODES.values()} == {
        template["LaunchTemplateName"] for template in found
    }


@pytest.mark.s3
def test_security_group_allows_ssh_from_the_owner_and_all_traffic_within(account: boto3.session.Session) -> None:
    groups = account.client("ec2").describe_security_groups(Filters=[{"Name": "group-name", "Values": ["facegan-nodes"]}])
    (group,) = groups["SecurityGroups"]
    from_outside = [rule for rule in group["IpPermissions"] if rule["IpRanges"] or rule.get("Ipv6Ranges")]
    assert [(r["FromPort"], r["ToPort"], r["IpRanges"][0]["CidrIp"]) for r in from_outside] == [(22, 22, OWNER)]
    within = [rule for rule in group["IpPermissions"] if rule["UserIdGroupPairs"]]
    assert [pair["GroupId"] for rule in within for pair in rule["UserIdGroupPairs"]] == [group["GroupId"]]


@pytest.mark.s3
def test_bucket_is_encrypted(account: boto3.session.Session) -> None:
    rules = account.client("s3").get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


@pytest.mark.s3
def test_store_parameter_is_the_uri_of_the_store(account: boto3.session.Session) -> None:
    found = account.client("ssm").get_parameter(Name=read_stack().parameter)["Parameter"]["Value"]
    assert found == f"s3://{BUCKET}/facegan"


@pytest.mark.s3
def test_token_is_readable_by_its_owner_only(account: boto3.session.Session) -> None:
    token = Path.home() / ".ray" / "auth_token"
    assert token.stat().st_mode & 0o777 == 0o600
    assert len(token.read_text()) == 64


@pytest.mark.s3
def test_head_role_can_start_and_terminate_its_own_workers_only(account: boto3.session.Session) -> None:
    rights = policy(account, "HeadRole", "autoscaler")
    everywhere = [action for right in rights if right["Resource"] == "*" for action in right["Action"]]
    assert all(action.startswith("ec2:Describe") for action in everywhere)
    by_name = {right["Sid"]: right for right in rights}
    start = by_name["StartWorkersOnly"]["Condition"]["StringEquals"]
    assert start["ec2:InstanceType"] == sorted({NODES[kind]["InstanceType"] for kind in NODES if kind != "head"})
    assert start["aws:RequestTag/ray-cluster-name"] == "facegan"
    assert by_name["TagAndEndOwnNodesOnly"]["Condition"]["StringEquals"] == {"ec2:ResourceTag/ray-cluster-name": "facegan"}
    assert by_name["GiveWorkersTheirRoleOnly"]["Resource"] == role(account, "WorkerRole")["Arn"]


@pytest.mark.s3
def test_head_role_allows_the_disk_sizes_of_the_cluster_file(account: boto3.session.Session) -> None:
    (right,) = [right for right in policy(account, "HeadRole", "autoscaler") if right["Sid"] == "OnEncryptedDisks"]
    largest = int(right["Condition"]["NumericLessThanEquals"]["ec2:VolumeSize"])
    assert all(disk["Ebs"]["VolumeSize"] <= largest for node in NODES.values() for disk in node["BlockDeviceMappings"])


@pytest.mark.s3
def test_worker_role_can_access_the_store_only(account: boto3.session.Session) -> None:
    names = account.client("iam").list_role_policies(RoleName=role(account, "WorkerRole")["RoleName"])["PolicyNames"]
    assert names == ["store"]
    resources = [right["Resource"] for right in policy(account, "WorkerRole", "store")]
    assert resources[:2] == [f"arn:aws:s3:::{BUCKET}/facegan/*", f"arn:aws:s3:::{BUCKET}"]
    assert resources[2].endswith(":parameter/facegan/store")


def role(aws: boto3.session.Session, name: str) -> dict[str, Any]:
    (found,) = [row for row in aws.client("iam").list_roles()["Roles"] if name in row["RoleName"]]
    return dict(found)


def policy(aws: boto3.session.Session, of: str, name: str) -> list[dict[str, Any]]:
    """Statements of a policy of a role."""
    document = aws.client("iam").get_role_policy(RoleName=role(aws, of)["RoleName"], PolicyName=name)["PolicyDocument"]
    rights: list[dict[str, Any]] = (ast.literal_eval(document) if isinstance(document, str) else document)["Statement"]
    return rights
