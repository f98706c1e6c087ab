"""cloud_setup and cloud_teardown, for real against a mocked AWS."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import torch
from moto.backends import get_backend

from facegan.config import UserError
from infra.aws import setup, stage_weights
from infra.aws.stack import CLUSTER, Stack, read_stack
from tests.infra.aws.commands import BUCKET, OWNER, run_main, run_setup, run_teardown

ROOT = CLUSTER.parent.parent
NODE = {"ImageId": "ami-12c6146b", "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1}


def parameters(aws: boto3.session.Session) -> dict[str, str]:
    rows = aws.client("cloudformation").describe_stacks(StackName="facegan")["Stacks"][0]["Parameters"]
    return {row["ParameterKey"]: row["ParameterValue"] for row in rows}


def start_node(aws: boto3.session.Session, **more: Any) -> str:
    tags = [{"Key": "ray-cluster-name", "Value": "facegan"}]
    specs = [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")]
    return str(aws.client("ec2").run_instances(**NODE, TagSpecifications=specs, **more)["Instances"][0]["InstanceId"])


@pytest.mark.s3
def test_a_second_setup_changes_what_is_new_and_nothing_else(aws: boto3.session.Session) -> None:
    run_setup("--bucket", BUCKET)
    token = (Path.home() / ".ray" / "auth_token").read_text()
    before = parameters(aws)
    run_setup("--ssh_from", "198.51.100.0/24")
    assert parameters(aws) == {**before, "SshCidr": "198.51.100.0/24"}
    assert (Path.home() / ".ray" / "auth_token").read_text() == token
    run_setup("--ssh_from", "198.51.100.0/24")  # nothing to change at all


@pytest.mark.s3
def test_weights_go_to_the_bucket_once(aws: boto3.session.Session, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "vgg19-dcbb9e9d.pth").write_bytes(b"weights")
    assert "vgg19-dcbb9e9d.pth" in run_setup("--bucket", BUCKET, "--weights", str(tmp_path / "weights"))
    there = aws.client("s3").get_object(Bucket=BUCKET, Key="facegan/weights/vgg19-dcbb9e9d.pth")
    assert there["Body"].read() == b"weights"
    assert "vgg19-dcbb9e9d.pth" not in run_setup("--weights", str(tmp_path / "weights"))


@pytest.mark.s3
def test_a_node_finds_the_bucket_and_its_weights(
    aws: boto3.session.Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_setup("--bucket", BUCKET)
    aws.client("s3").put_object(Bucket=BUCKET, Key="facegan/weights/vgg19-dcbb9e9d.pth", Body=b"weights")
    environment = tmp_path / "facegan.env"
    environment.write_text("RAY_AUTH_MODE=token\nFACEGAN_STORE=s3://of/yesterday\n")
    monkeypatch.setattr(stage_weights, "ENVIRONMENT", environment)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    run_main(stage_weights.main, stage_weights.StageWeights)
    assert environment.read_text() == f"RAY_AUTH_MODE=token\nFACEGAN_STORE=s3://{BUCKET}/facegan\n"
    assert (Path(torch.hub.get_dir()) / "checkpoints" / "vgg19-dcbb9e9d.pth").read_bytes() == b"weights"


@pytest.mark.s3
def test_teardown_leaves_nothing_that_costs_and_keeps_the_data(aws: boto3.session.Session) -> None:
    run_setup("--bucket", BUCKET)
    node = start_node(aws)
    ec2 = aws.client("ec2")
    disk = ec2.create_volume(
        AvailabilityZone="us-east-1a",
        Size=60,
        TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "ray-cluster-name", "Value": "facegan"}]}],
    )
    aws.client("s3").put_object(Bucket=BUCKET, Key="facegan/studies/plan.json", Body=b"{}")
    words = run_teardown()
    assert node in words
    assert disk["VolumeId"] in words
    assert left(aws) == {}
    assert aws.client("s3").get_object(Bucket=BUCKET, Key="facegan/studies/plan.json")["Body"].read() == b"{}"
    assert "kept" in words
    assert "a month" in words


@pytest.mark.s3
def test_teardown_touches_nothing_of_others(aws: boto3.session.Session) -> None:
    run_setup()
    ec2 = aws.client("ec2")
    stranger = ec2.run_instances(**NODE)["Instances"][0]["InstanceId"]
    run_teardown("--delete_data", "True")
    (found,) = ec2.describe_instances(InstanceIds=[stranger])["Reservations"]
    assert found["Instances"][0]["State"]["Name"] == "running"


@pytest.mark.s3
def test_teardown_of_everything_and_again(aws: boto3.session.Session) -> None:
    run_setup("--bucket", BUCKET)
    for body in (b"1", b"22"):
        aws.client("s3").put_object(Bucket=BUCKET, Key="facegan/studies/plan.json", Body=body)
    assert "deleted faces-of-mine" in run_teardown("--delete_data", "True")
    assert aws.client("s3").list_buckets()["Buckets"] == []
    assert "data     none" in run_teardown("--delete_data", "True")


@pytest.mark.s3
def test_a_bucket_that_was_there_is_used_and_never_deleted(aws: boto3.session.Session) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="of-the-lab")
    s3.put_object(Bucket="of-the-lab", Key="thesis.pdf", Body=b"years")
    run_setup("--bucket", "of-the-lab")
    s3.put_object(Bucket="of-the-lab", Key="facegan/studies/plan.json", Body=b"{}")
    run_teardown("--delete_data", "True")
    assert [row["Key"] for row in s3.list_objects_v2(Bucket="of-the-lab")["Contents"]] == ["thesis.pdf"]


@pytest.mark.s3
def test_setup_after_a_teardown_finds_its_data_again(aws: boto3.session.Session) -> None:
    run_setup("--bucket", BUCKET)
    aws.client("s3").put_object(Bucket=BUCKET, Key="facegan/weights/x", Body=b"x")
    run_teardown()
    run_setup("--bucket", BUCKET)
    assert aws.client("s3").get_object(Bucket=BUCKET, Key="facegan/weights/x")["Body"].read() == b"x"


@pytest.mark.s3
def test_the_budget_comes_is_replaced_and_goes(aws: boto3.session.Session) -> None:
    for dollars in ("100", "150"):
        run_setup("--budget_email", "owner@example.org", "--budget_usd", dollars)
    account = aws.client("sts").get_caller_identity()["Account"]
    (budget,) = aws.client("budgets").describe_budgets(AccountId=account)["Budgets"]
    assert budget["BudgetLimit"] == {"Amount": "150", "Unit": "USD"}
    assert "budget   deleted" in run_teardown()
    assert not aws.client("budgets").describe_budgets(AccountId=account).get("Budgets")


@pytest.mark.s3
@pytest.mark.slow
@pytest.mark.parametrize("name", ["setup", "teardown"])
def test_no_credentials_is_one_line(aws: boto3.session.Session, name: str) -> None:
    told = {key: value for key, value in os.environ.items() if "ACCESS_KEY" not in key}
    run = subprocess.run([sys.executable, "-m", f"infra.aws.{name}"], cwd=ROOT, env=told, capture_output=True, text=True)
    assert run.returncode == 2
    assert "there are no AWS credentials here" in run.stderr
    assert run.stderr.count("\n") == 1


@pytest.mark.s3
def test_another_region_in_the_environment_is_said(aws: boto3.session.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with pytest.raises(UserError, match=r"'eu-west-1', infra/cluster.yaml says 'us-east-1'"):
        run_setup()


@pytest.mark.s3
def test_a_bucket_in_another_region_is_said(aws: boto3.session.Session) -> None:
    far = boto3.session.Session(region_name="eu-west-1").client("s3")
    far.create_bucket(Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with pytest.raises(UserError, match="lies in eu-west-1"):
        run_setup("--bucket", "far-away")


@pytest.mark.s3
@pytest.mark.parametrize("network", ["0.0.0.0/0", "10.0.0.0/8", "my house"])
def test_the_world_is_not_let_in(aws: boto3.session.Session, network: str) -> None:
    with pytest.raises(UserError, match=f"--ssh_from is '{network}'"):
        run_setup("--ssh_from", network)


@pytest.mark.s3
@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "UPDATE_IN_PROGRESS", "DELETE_FAILED"])
def test_a_stack_that_cannot_be_updated_is_said(aws: boto3.session.Session, status: str) -> None:
    run_setup()
    for region in (backends["us-east-1"] for backends in get_backend("cloudformation").values()):
        for stack in region.stacks.values():
            stack.status = status
    with pytest.raises(UserError, match=f"stack facegan is in {status}"):
        run_setup()
    assert parameters(aws)["SshCidr"] == OWNER


@pytest.mark.s3
def test_a_teardown_of_nothing_says_so(aws: boto3.session.Session) -> None:
    assert [line for line in run_teardown().splitlines() if "none" in line] == [
        "nodes    none",
        "stack    none",
        "data     none",
    ]


@pytest.mark.parametrize(("vcpus", "hint"), [(0.0, True), (32.0, False)])
def test_a_quota_of_nought_is_said(
    vcpus: float, hint: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = SimpleNamespace(get_service_quota=lambda **_: {"Quota": {"Value": vcpus}})
    monkeypatch.setattr(Stack, "client", lambda self, service: answer)
    setup._say_quotas(read_stack())
    assert capsys.readouterr().out.count("no worker can start") == (2 if hint else 0)


def left(aws: boto3.session.Session) -> dict[str, list[str]]:
    """What is in the account that a cluster makes, but for the buckets."""
    ec2, iam, ssm = aws.client("ec2"), aws.client("iam"), aws.client("ssm")
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
        "parameters": [p["Name"] for p in ssm.describe_parameters()["Parameters"] if "/aws/service/" not in p["Name"]],
    }
    return {kind: rows for kind, rows in found.items() if rows}
