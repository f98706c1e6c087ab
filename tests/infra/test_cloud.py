"""infra/cloud.yaml, cloud_setup and cloud_teardown, for real against a mocked AWS."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from infra.stack import CLUSTER, TEMPLATE
from tests.infra.images import IMAGES

ROOT = CLUSTER.parent.parent
OWNER = "203.0.113.7/32"
NODE = {"ImageId": "ami-12c6146b", "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1}


def job(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"infra.{name}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def setup(*arguments: str) -> str:
    images = [word for pair in IMAGES.items() for word in pair]
    run = job("cloud_setup", "--ssh_from", OWNER, *images, *arguments)
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


def teardown(*arguments: str) -> str:
    run = job("cloud_teardown", *arguments)
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


def mistake(name: str, *arguments: str) -> str:
    run = job(name, *arguments)
    assert run.returncode == 2, run.stderr[-3000:]
    assert run.stderr.count("\n") == 1, run.stderr
    return run.stderr


def parameters(aws: boto3.session.Session) -> dict[str, str]:
    rows = aws.client("cloudformation").describe_stacks(StackName="facegan")["Stacks"][0]["Parameters"]
    return {row["ParameterKey"]: row["ParameterValue"] for row in rows}


def start_node(aws: boto3.session.Session, **more: Any) -> str:
    tags = [{"Key": "ray-cluster-name", "Value": "facegan"}]
    specs = [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")]
    return str(aws.client("ec2").run_instances(**NODE, TagSpecifications=specs, **more)["Instances"][0]["InstanceId"])


@pytest.mark.slow
def test_cfn_lint_finds_nothing() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "cfnlint", "--include-checks", "I", "--format", "json", str(TEMPLATE)], capture_output=True, text=True
    )
    assert json.loads(found.stdout) == [], found.stdout


@pytest.mark.slow
def test_cfn_lint_can_fail(tmp_path: Path) -> None:
    broken = tmp_path / "cloud.yaml"
    broken.write_text(TEMPLATE.read_text().replace("SecurityGroupIngress:\n", "SecurityGroupIngres:\n"))
    found = subprocess.run([sys.executable, "-m", "cfnlint", str(broken)], capture_output=True, text=True)
    assert "SecurityGroupIngres" in found.stdout


def test_the_template_has_no_aliases() -> None:
    """CloudFormation's reader of YAML knows none."""
    assert not [e for e in yaml.parse(TEMPLATE.read_text()) if isinstance(e, yaml.AliasEvent)]


@pytest.mark.s3
def test_setup_makes_what_the_cluster_names(aws: boto3.session.Session) -> None:
    said = setup()
    ec2 = aws.client("ec2")
    names = {t["LaunchTemplateName"] for t in ec2.describe_launch_templates()["LaunchTemplates"]}
    nodes = yaml.safe_load(CLUSTER.read_text())["available_node_types"].values()
    assert {node["node_config"]["LaunchTemplate"]["LaunchTemplateName"] for node in nodes} == names
    assert parameters(aws)["WorkerTypes"].split(",") == [
        t for t in sorted({n["node_config"]["InstanceType"] for n in nodes if n["resources"].get("GPU")})
    ]
    assert said.endswith("next     ray up infra/cluster.yaml\n")


@pytest.mark.s3
def test_only_the_owner_reaches_the_nodes(aws: boto3.session.Session) -> None:
    setup()
    groups = aws.client("ec2").describe_security_groups(Filters=[{"Name": "group-name", "Values": ["facegan-nodes"]}])
    (group,) = groups["SecurityGroups"]
    from_outside = [rule for rule in group["IpPermissions"] if rule["IpRanges"] or rule.get("Ipv6Ranges")]
    assert [(r["FromPort"], r["ToPort"], r["IpRanges"][0]["CidrIp"]) for r in from_outside] == [(22, 22, OWNER)]
    within = [rule for rule in group["IpPermissions"] if rule["UserIdGroupPairs"]]
    assert [pair["GroupId"] for rule in within for pair in rule["UserIdGroupPairs"]] == [group["GroupId"]]


@pytest.mark.s3
def test_the_bucket_is_encrypted_versioned_and_closed(aws: boto3.session.Session) -> None:
    setup("--bucket", "faces-of-mine")
    s3 = aws.client("s3")
    assert s3.get_bucket_versioning(Bucket="faces-of-mine")["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket="faces-of-mine")["PublicAccessBlockConfiguration"].values())
    rules = s3.get_bucket_lifecycle_configuration(Bucket="faces-of-mine")["Rules"]
    assert [r["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] for r in rules if r["ID"] == "unfinished-uploads"] == [1]
    assert s3.get_bucket_encryption(Bucket="faces-of-mine")


@pytest.mark.s3
def test_a_second_setup_changes_what_is_new_and_nothing_else(aws: boto3.session.Session) -> None:
    setup("--bucket", "faces-of-mine")
    token = (Path.home() / ".ray" / "auth_token").read_text()
    before = parameters(aws)
    setup("--ssh_from", "198.51.100.0/24")
    assert parameters(aws) == {**before, "SshCidr": "198.51.100.0/24"}
    assert (Path.home() / ".ray" / "auth_token").read_text() == token
    setup("--ssh_from", "198.51.100.0/24")  # nothing to change at all


@pytest.mark.s3
def test_the_token_is_its_owners_alone(aws: boto3.session.Session) -> None:
    setup()
    token = Path.home() / ".ray" / "auth_token"
    assert token.stat().st_mode & 0o777 == 0o600
    assert len(token.read_text()) == 64


@pytest.mark.s3
def test_weights_go_to_the_bucket_once(aws: boto3.session.Session, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "vgg19-dcbb9e9d.pth").write_bytes(b"weights")
    assert "vgg19-dcbb9e9d.pth" in setup("--bucket", "faces-of-mine", "--weights", str(tmp_path / "weights"))
    there = aws.client("s3").get_object(Bucket="faces-of-mine", Key="facegan/weights/vgg19-dcbb9e9d.pth")
    assert there["Body"].read() == b"weights"
    assert "vgg19-dcbb9e9d.pth" not in setup("--weights", str(tmp_path / "weights"))


@pytest.mark.s3
def test_teardown_leaves_nothing_that_costs_and_keeps_the_data(aws: boto3.session.Session) -> None:
    setup("--bucket", "faces-of-mine")
    node = start_node(aws)
    ec2 = aws.client("ec2")
    disk = ec2.create_volume(
        AvailabilityZone="us-east-1a",
        Size=60,
        TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "ray-cluster-name", "Value": "facegan"}]}],
    )
    aws.client("s3").put_object(Bucket="faces-of-mine", Key="facegan/studies/plan.json", Body=b"{}")
    said = teardown()
    assert node in said
    assert disk["VolumeId"] in said
    assert left(aws) == {}
    assert aws.client("s3").get_object(Bucket="faces-of-mine", Key="facegan/studies/plan.json")["Body"].read() == b"{}"
    assert "kept" in said
    assert "a month" in said


@pytest.mark.s3
def test_teardown_touches_nothing_of_others(aws: boto3.session.Session) -> None:
    setup()
    ec2 = aws.client("ec2")
    stranger = ec2.run_instances(**NODE)["Instances"][0]["InstanceId"]
    teardown("--delete_data", "True")
    (found,) = ec2.describe_instances(InstanceIds=[stranger])["Reservations"]
    assert found["Instances"][0]["State"]["Name"] == "running"


@pytest.mark.s3
def test_teardown_of_everything_and_again(aws: boto3.session.Session) -> None:
    setup("--bucket", "faces-of-mine")
    for body in (b"1", b"22"):
        aws.client("s3").put_object(Bucket="faces-of-mine", Key="facegan/studies/plan.json", Body=body)
    assert "deleted faces-of-mine" in teardown("--delete_data", "True")
    assert aws.client("s3").list_buckets()["Buckets"] == []
    assert "data     none" in teardown("--delete_data", "True")


@pytest.mark.s3
def test_a_bucket_that_was_there_is_used_and_never_deleted(aws: boto3.session.Session) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="of-the-lab")
    s3.put_object(Bucket="of-the-lab", Key="thesis.pdf", Body=b"years")
    setup("--bucket", "of-the-lab")
    s3.put_object(Bucket="of-the-lab", Key="facegan/studies/plan.json", Body=b"{}")
    teardown("--delete_data", "True")
    assert [row["Key"] for row in s3.list_objects_v2(Bucket="of-the-lab")["Contents"]] == ["thesis.pdf"]


@pytest.mark.s3
def test_setup_after_a_teardown_finds_its_data_again(aws: boto3.session.Session) -> None:
    setup("--bucket", "faces-of-mine")
    aws.client("s3").put_object(Bucket="faces-of-mine", Key="facegan/weights/x", Body=b"x")
    teardown()
    setup("--bucket", "faces-of-mine")
    assert aws.client("s3").get_object(Bucket="faces-of-mine", Key="facegan/weights/x")["Body"].read() == b"x"


@pytest.mark.s3
def test_no_credentials_is_one_line(aws: boto3.session.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for name in ("cloud_setup", "cloud_teardown"):
        assert "there are no AWS credentials here" in mistake(name)


@pytest.mark.s3
def test_another_region_in_the_environment_is_one_line(aws: boto3.session.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert "'eu-west-1', infra/cluster.yaml says 'us-east-1'" in mistake("cloud_setup")


@pytest.mark.s3
def test_a_bucket_in_another_region_is_one_line(aws: boto3.session.Session) -> None:
    aws.client("s3").create_bucket(Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert "lies in eu-west-1" in mistake("cloud_setup", "--bucket", "far-away", "--ssh_from", OWNER)


@pytest.mark.s3
@pytest.mark.parametrize("network", ["0.0.0.0/0", "10.0.0.0/8", "my house"])
def test_the_world_is_not_let_in(aws: boto3.session.Session, network: str) -> None:
    assert repr(network) in mistake("cloud_setup", "--ssh_from", network)


@pytest.mark.s3
def test_a_stack_that_rolled_back_is_one_line(aws: boto3.session.Session, moto_server: str) -> None:
    """An image parameter that does not exist fails the creation, as does a name that is taken."""
    aws.client("cloudformation").create_stack(
        StackName="facegan", TemplateBody=json.dumps({"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": {}}}})
    )
    from moto.backends import get_backend

    for stacks in get_backend("cloudformation").values():
        for stack in stacks["us-east-1"].stacks.values():
            stack.status = "ROLLBACK_COMPLETE"
    assert "ROLLBACK_COMPLETE" in mistake("cloud_setup", "--ssh_from", OWNER)


def left(aws: boto3.session.Session) -> dict[str, list[str]]:
    """What is in the account that a cluster makes, but for the buckets."""
    ec2, iam = aws.client("ec2"), aws.client("iam")
    nodes = [n for r in ec2.describe_instances()["Reservations"] for n in r["Instances"]]
    found = {
        "instances": [n["InstanceId"] for n in nodes if n["State"]["Name"] != "terminated"],
        "volumes": [v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]],
        "groups": [g["GroupName"] for g in ec2.describe_security_groups()["SecurityGroups"] if g["GroupName"] != "default"],
        "templates": [t["LaunchTemplateName"] for t in ec2.describe_launch_templates()["LaunchTemplates"]],
        "keys": [k["KeyName"] for k in ec2.describe_key_pairs()["KeyPairs"]],
        "roles": [r["RoleName"] for r in iam.list_roles()["Roles"] if not r["Path"].startswith("/aws-service-role/")],
        "profiles": [p["InstanceProfileName"] for p in iam.list_instance_profiles()["InstanceProfiles"]],
        "policies": [p["PolicyName"] for p in iam.list_policies(Scope="Local")["Policies"]],
        "parameters": [p["Name"] for p in aws.client("ssm").describe_parameters()["Parameters"] if "/images/" not in p["Name"]],
    }
    return {kind: rows for kind, rows in found.items() if rows}
