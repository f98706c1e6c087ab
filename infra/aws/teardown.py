"""End every node of the cluster and remove what cloud_setup made. Data are kept unless told otherwise, and their cost is said.

What it removes is found by the cluster's tag, so it needs no cluster that answers, and a second run changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from cluster.cli import run_job
from facegan.config import UserError
from infra.aws.budget import remove_budget
from infra.aws.stack import Stack, open_stack, said

_ALIVE = ("pending", "running", "stopping", "stopped")
_USD_A_GB_MONTH = 0.023
"""S3 standard, about, us-east-1, November 2026."""


@dataclass(frozen=True, kw_only=True)
class Teardown:
    """Arguments of infra/aws/teardown.py."""

    delete_data: bool = False
    """True: delete the cluster's prefix of the bucket with all versions, and the bucket where cloud_setup had made it."""


def main(args: Teardown) -> None:
    """Nodes first, because they cost most and hold the rest."""
    stack = open_stack()
    store = _store(stack)
    _end_instances(stack)
    _delete_volumes(stack)
    _delete_stack(stack)
    _delete_keys(stack)
    remove_budget(stack)
    _settle_data(stack, store, args.delete_data)


def _store(stack: Stack) -> str:
    """The bucket: as the stack says, or by its default name."""
    found = stack.describe()
    rows = {row["ParameterKey"]: row["ParameterValue"] for row in (found or {}).get("Parameters", [])}
    return str(rows.get("BucketName", f"{stack.name}-{stack.account}-{stack.region}"))


def _ours(stack: Stack) -> list[dict[str, Any]]:
    return [{"Name": "tag:ray-cluster-name", "Values": [stack.name]}]


def _end_instances(stack: Stack) -> None:
    ec2 = stack.client("ec2")
    with said("nodes"):
        pages = ec2.get_paginator("describe_instances").paginate(
            Filters=[*_ours(stack), {"Name": "instance-state-name", "Values": [*_ALIVE]}]
        )
        nodes = [node["InstanceId"] for page in pages for group in page["Reservations"] for node in group["Instances"]]
        if nodes:
            print(f"nodes    ending {', '.join(nodes)}", flush=True)
            ec2.terminate_instances(InstanceIds=nodes)
            ec2.get_waiter("instance_terminated").wait(InstanceIds=nodes, WaiterConfig={"Delay": 5, "MaxAttempts": 120})
        else:
            print("nodes    none", flush=True)


def _delete_volumes(stack: Stack) -> None:
    ec2 = stack.client("ec2")
    with said("volumes"):
        left = ec2.describe_volumes(Filters=[*_ours(stack), {"Name": "status", "Values": ["available"]}])["Volumes"]
        for volume in left:
            print(f"volumes  deleting {volume['VolumeId']} ({volume['Size']} GiB)", flush=True)
            ec2.delete_volume(VolumeId=volume["VolumeId"])


def _delete_stack(stack: Stack) -> None:
    if not stack.describe():
        print("stack    none", flush=True)
        return
    print(f"stack    deleting {stack.name}", flush=True)
    cloudformation = stack.client("cloudformation")
    try:
        with said(f"stack {stack.name}"):
            cloudformation.delete_stack(StackName=stack.name)
            done = cloudformation.get_waiter("stack_delete_complete")
            done.wait(StackName=stack.name, WaiterConfig={"Delay": 5, "MaxAttempts": 120})
    except UserError as error:
        if isinstance(error.__cause__, WaiterError):
            raise UserError(f"stack {stack.name} was not deleted: {stack.first_failure()}; remove that, then again") from error
        raise


def _delete_keys(stack: Stack) -> None:
    """Keys that Ray made: those of which this machine has the private half."""
    ec2 = stack.client("ec2")
    with said("keys"):
        found = ec2.describe_key_pairs(Filters=[{"Name": "key-name", "Values": [stack.key_name, f"{stack.key_name}_key-*"]}])
        for name in (row["KeyName"] for row in found["KeyPairs"]):
            private = Path.home() / ".ssh" / f"{name}.pem"
            if private.exists():
                ec2.delete_key_pair(KeyName=name)
                private.unlink()
                print(f"keys     deleted {name}, here and there", flush=True)


def _settle_data(stack: Stack, bucket: str, delete: bool) -> None:
    try:
        with said(f"bucket {bucket}"):
            versions = list(_versions(stack, bucket))
            if delete:
                _delete(stack, bucket, versions)
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
        cost = f"about ${gigabytes * _USD_A_GB_MONTH:.2f} a month"
        print(f"data     kept: {gigabytes:.1f} GB in {where}, {cost}; nothing else is left that costs", flush=True)
        print("         ARGS='--delete_data True' deletes them too", flush=True)


def _versions(stack: Stack, bucket: str) -> Iterator[dict[str, Any]]:
    pages = stack.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=f"{stack.name}/")
    for page in pages:
        yield from page.get("Versions", [])
        yield from page.get("DeleteMarkers", [])


def _delete(stack: Stack, bucket: str, versions: list[dict[str, Any]]) -> None:
    s3 = stack.client("s3")
    for start in range(0, len(versions), 1000):
        rows = [{"Key": row["Key"], "VersionId": row["VersionId"]} for row in versions[start : start + 1000]]
        failed = s3.delete_objects(Bucket=bucket, Delete={"Objects": rows, "Quiet": True}).get("Errors", [])
        if failed:
            raise UserError(f"bucket {bucket}: {failed[0]['Key']} was not deleted ({failed[0]['Code']}); run again")
    if _made_by_us(stack, bucket) and not s3.list_object_versions(Bucket=bucket, MaxKeys=1).get("Versions"):
        s3.delete_bucket(Bucket=bucket)
        print(f"bucket   deleted {bucket}", flush=True)


def _made_by_us(stack: Stack, bucket: str) -> bool:
    try:
        tags = stack.client("s3").get_bucket_tagging(Bucket=bucket)["TagSet"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchTagSet":
            return False
        raise
    return {"Key": "project", "Value": stack.name} in tags


if __name__ == "__main__":
    run_job(main, Teardown, __doc__)
