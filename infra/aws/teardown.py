"""Terminate all nodes of the cluster and delete what setup created. Data are kept by default, and their cost is printed.

Nodes and disks are found by the tag of the cluster, so the head need not answer. A second run changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from cluster.cli.command_line import run_job
from facegan.errors import UserError
from infra.aws.budget import remove_budget
from infra.aws.stack import Stack, open_stack, translate_aws_errors

_NOT_TERMINATED = ("pending", "running", "stopping", "stopped")
_USD_PER_GB_MONTH = 0.023
"""Approximate price of S3 Standard in us-east-1, November 2026."""


@dataclass(frozen=True, kw_only=True)
class Teardown:
    """Arguments of infra.aws.teardown."""

    delete_data: bool = False
    """Delete all versions below the cluster's prefix, and the bucket if setup created it and it is then empty."""


def main(args: Teardown) -> None:
    """Run all steps; nodes first, because they cost most and the stack cannot be deleted while they use it."""
    stack = open_stack()
    bucket = _bucket_name(stack)
    _terminate_instances(stack)
    _delete_volumes(stack)
    _delete_stack(stack)
    _delete_keys(stack)
    remove_budget(stack)
    _keep_or_delete_data(stack, bucket, args.delete_data)


def _bucket_name(stack: Stack) -> str:
    """Name of the bucket: the parameter of the stack, or the default name."""
    found = stack.describe()
    rows = {row["ParameterKey"]: row["ParameterValue"] for row in (found or {}).get("Parameters", [])}
    return str(rows.get("BucketName", f"{stack.name}-{stack.account}-{stack.region}"))


def _cluster_filter(stack: Stack) -> list[dict[str, Any]]:
    return [{"Name": "tag:ray-cluster-name", "Values": [stack.name]}]


def _terminate_instances(stack: Stack) -> None:
    ec2 = stack.client("ec2")
    with translate_aws_errors("nodes"):
        pages = ec2.get_paginator("describe_instances").paginate(
            Filters=[*_cluster_filter(stack), {"Name": "instance-state-name", "Values": [*_NOT_TERMINATED]}]
        )
        nodes = [node["InstanceId"] for page in pages for group in page["Reservations"] for node in group["Instances"]]
        if nodes:
            print(f"nodes    terminating {', '.join(nodes)}", flush=True)
            ec2.terminate_instances(InstanceIds=nodes)
            ec2.get_waiter("instance_terminated").wait(InstanceIds=nodes, WaiterConfig={"Delay": 5, "MaxAttempts": 120})
        else:
            print("nodes    none", flush=True)


def _delete_volumes(stack: Stack) -> None:
    ec2 = stack.client("ec2")
    with translate_aws_errors("volumes"):
        volumes = ec2.describe_volumes(Filters=[*_cluster_filter(stack), {"Name": "status", "Values": ["available"]}])[
            "Volumes"
        ]
        for volume in volumes:
            print(f"volumes  deleting {volume['VolumeId']} ({volume['Size']} GiB)", flush=True)
            ec2.delete_volume(VolumeId=volume["VolumeId"])


def _delete_stack(stack: Stack) -> None:
    if not stack.describe():
        print("stack    none", flush=True)
        return
    print(f"stack    deleting {stack.name}", flush=True)
    cloudformation = stack.client("cloudformation")
    try:
        with translate_aws_errors(f"stack {stack.name}"):
            cloudformation.delete_stack(StackName=stack.name)
            done = cloudformation.get_waiter("stack_delete_complete")
            done.wait(StackName=stack.name, WaiterConfig={"Delay": 5, "MaxAttempts": 120})
    except UserError as error:
        if isinstance(error.__cause__, WaiterError):
            raise UserError(
                f"stack {stack.name} was not deleted: {stack.first_failure()}; remove this resource, then run this again"
            ) from error
        raise


def _delete_keys(stack: Stack) -> None:
    """Delete the SSH keys that Ray created and whose private half is on this machine."""
    ec2 = stack.client("ec2")
    with translate_aws_errors("keys"):
        found = ec2.describe_key_pairs(Filters=[{"Name": "key-name", "Values": [stack.key_name, f"{stack.key_name}_key-*"]}])
        for name in (row["KeyName"] for row in found["KeyPairs"]):
            private = Path.home() / ".ssh" / f"{name}.pem"
            if private.exists():
                ec2.delete_key_pair(KeyName=name)
                private.unlink()
                print(f"keys     deleted {name} on AWS and {private}", flush=True)


def _keep_or_delete_data(stack: Stack, bucket: str, delete: bool) -> None:
    """Delete the data if asked to, and print what was deleted or what the data cost."""
    try:
        with translate_aws_errors(f"bucket {bucket}"):
            versions = list(_versions(stack, bucket))
            if delete:
                _delete_versions(stack, bucket, versions)
    except UserError as error:
        if isinstance(error.__cause__, ClientError) and error.__cause__.response["Error"]["Code"] == "NoSuchBucket":
            print("data     none", flush=True)
            return
        raise
    gigabytes = sum(row.get("Size", 0) for row in versions) / 1e9
    where = f"s3://{bucket}/{stack.name}"
    if delete:
        print(f"data     deleted {gigabytes:.1f} GB in {where}\nnothing of {stack.name} is left that costs", flush=True)
    else:
        cost = f"about ${gigabytes * _USD_PER_GB_MONTH:.2f} a month"
        print(f"data     kept: {gigabytes:.1f} GB in {where}, {cost}; nothing else is left that costs", flush=True)
        print("         make cloud-teardown ARGS='--delete_data True' deletes them too", flush=True)


def _versions(stack: Stack, bucket: str) -> Iterator[dict[str, Any]]:
    """All object versions and delete markers below the cluster's prefix."""
    pages = stack.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=f"{stack.name}/")
    for page in pages:
        yield from page.get("Versions", [])
        yield from page.get("DeleteMarkers", [])


def _delete_versions(stack: Stack, bucket: str, versions: list[dict[str, Any]]) -> None:
    """Delete these versions, and the bucket if setup created it and it is then empty."""
    s3 = stack.client("s3")
    for start in range(0, len(versions), 1000):
        rows = [{"Key": row["Key"], "VersionId": row["VersionId"]} for row in versions[start : start + 1000]]
        failed = s3.delete_objects(Bucket=bucket, Delete={"Objects": rows, "Quiet": True}).get("Errors", [])
        if failed:
            raise UserError(f"bucket {bucket}: {failed[0]['Key']} was not deleted ({failed[0]['Code']}); run this again")
    if _created_by_setup(stack, bucket) and not s3.list_object_versions(Bucket=bucket, MaxKeys=1).get("Versions"):
        s3.delete_bucket(Bucket=bucket)
        print(f"bucket   deleted {bucket}", flush=True)


def _created_by_setup(stack: Stack, bucket: str) -> bool:
    try:
        tags = stack.client("s3").get_bucket_tagging(Bucket=bucket)["TagSet"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchTagSet":
            return False
        raise
    return {"Key": "project", "Value": stack.name} in tags


if __name__ == "__main__":
    run_job(main, Teardown, __doc__)
