"""infra.aws.teardown against a mocked AWS: what it deletes, what it keeps, and its errors."""

import os
import subprocess
import sys

import boto3
import pytest

from infra.aws.stack import CLUSTER
from tests.infra.aws.commands import BUCKET, run_setup, run_teardown

ROOT = CLUSTER.parents[1]
NODE = {"ImageId": "ami-12c6146b", "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1}


def start_node(aws: boto3.session.Session) -> str:
    tags = [{"Key": "ray-cluster-name", "Value": "facegan"}]
    specs = [{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume")]
    return str(aws.client("ec2").run_instances(**NODE, TagSpecifications=specs)["Instances"][0]["InstanceId"])


def remaining(aws: boto3.session.Session) -> dict[str, list[str]]:
    """Everything in the account that a cluster creates, except buckets, by kind; empty kinds are left out."""
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


@pytest.mark.s3
def test_teardown_deletes_all_but_the_data(aws: boto3.session.Session) -> None:
    run_setup("--bucket", BUCKET)
    node = start_node(aws)
    ec2 = aws.client("ec2")
    disk = ec2.create_volume(
        AvailabilityZone="us-east-1a",
        Size=60,
        TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "ray-cluster-name", "Value": "facegan"}]}],
    )
    aws.client("s3").put_object(Bucket=BUCKET, Key="facegan/studies/plan.json", Body=b"{}")
    output = run_teardown()
    assert node in output
    assert disk["VolumeId"] in output
    assert remaining(aws) == {}
    assert aws.client("s3").get_object(Bucket=BUCKET, Key="facegan/studies/plan.json")["Body"].read() == b"{}"
    assert "kept" in output
    assert "a month" in output


@pytest.mark.s3
def test_teardown_leaves_instances_without_the_clusters_tag(aws: boto3.session.Session) -> None:
    run_setup()
    ec2 = aws.client("ec2")
    other = ec2.run_instances(**NODE)["Instances"][0]["InstanceId"]
    run_teardown("--delete_data", "True")
    (found,) = ec2.describe_instances(InstanceIds=[other])["Reservations"]
    assert found["Instances"][0]["State"]["Name"] == "running"


@pytest.mark.s3
def test_teardown_with_delete_data_deletes_the_bucket_and_can_be_repeated(aws: boto3.session.Session) -> None:
    run_setup("--bucket", BUCKET)
    for body in (b"1", b"22"):
        aws.client("s3").put_object(Bucket=BUCKET, Key="facegan/studies/plan.json", Body=body)
    assert "deleted faces-of-mine" in run_teardown("--delete_data", "True")
    assert aws.client("s3").list_buckets()["Buckets"] == []
    assert "data     none" in run_teardown("--delete_data", "True")


@pytest.mark.s3
def test_bucket_that_existed_before_setup_is_never_deleted(aws: boto3.session.Session) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="of-the-lab")
    s3.put_object(Bucket="of-the-lab", Key="thesis.pdf", Body=b"years")
    run_setup("--bucket", "of-the-lab")
    s3.put_object(Bucket="of-the-lab", Key="facegan/studies/plan.json", Body=b"{}")
    run_teardown("--delete_data", "True")
    assert [row["Key"] for row in s3.list_objects_v2(Bucket="of-the-lab")["Contents"]] == ["thesis.pdf"]


@pytest.mark.s3
def test_setup_after_teardown_uses_the_kept_bucket(aws: boto3.session.Session) -> None:
    run_setup("--bucket", BUCKET)
    aws.client("s3").put_object(Bucket=BUCKET, Key="facegan/weights/x", Body=b"x")
    run_teardown()
    run_setup("--bucket", BUCKET)
    assert aws.client("s3").get_object(Bucket=BUCKET, Key="facegan/weights/x")["Body"].read() == b"x"


@pytest.mark.s3
def test_budget_is_created_replaced_and_deleted(aws: boto3.session.Session) -> None:
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
def test_missing_credentials_are_one_error_line(aws: boto3.session.Session, name: str) -> None:
    environment = {key: value for key, value in os.environ.items() if "ACCESS_KEY" not in key}
    run = subprocess.run([sys.executable, "-m", f"infra.aws.{name}"], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 2
    assert "there are no AWS credentials here" in run.stderr
    assert run.stderr.count("\n") == 1


@pytest.mark.s3
def test_teardown_without_a_stack_deletes_nothing(aws: boto3.session.Session) -> None:
    assert [line for line in run_teardown().splitlines() if "none" in line] == [
        "nodes    none",
        "stack    none",
        "data     none",
    ]
