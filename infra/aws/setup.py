"""Create or update what `ray up infra/cluster.yaml` needs on AWS.

Run it again after your address, the region or an instance type changed. It costs nothing by itself. It prints each step, and
the GPU quotas, which are 0 in new accounts.
"""

import contextlib
import ipaddress
import os
import secrets
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from cluster.cli.command_line import run_job
from cluster.storage.uri import storage_uri
from facegan.errors import UserError
from facegan.files import file_sha256
from infra.aws.budget import set_budget
from infra.aws.stack import TEMPLATE, Stack, open_stack, translate_aws_errors

_ADDRESS = "https://checkip.amazonaws.com"
_READY = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
_QUOTAS = {"spot": "L-3819A6DF", "on demand": "L-DB2E81BA"}


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Arguments of infra.aws.setup."""

    bucket: str = ""
    """An existing bucket of the region, or the name of a new one; facegan-<account>-<region> by default."""
    ssh_from: str = ""
    """IPv4 network from which nodes accept SSH, such as 203.0.113.0/24; the public address of this machine by default."""
    vpc: str = ""
    """VPC of the nodes; the default VPC of the region by default."""
    weights: str = ""
    """Folder of weight files to upload to the bucket, such as ~/.cache/torch/hub/checkpoints."""
    budget_email: str = ""
    """Address to which AWS sends budget notifications; no budget by default."""
    budget_usd: int = 200
    """Monthly budget of the account, US dollars."""


def main(args: Setup) -> None:
    """Run all steps in order; a step that is already done changes nothing."""
    stack = open_stack()
    found = stack.describe()
    bucket = args.bucket or _parameter(found, "BucketName") or f"{stack.name}-{stack.account}-{stack.region}"
    parameters = {
        "ClusterName": stack.name,
        "BucketName": bucket,
        "CreateBucket": "true" if _is_stack_bucket(found, bucket) or not _bucket_exists(stack, bucket) else "false",
        "VpcId": args.vpc or _default_vpc(stack),
        "SshCidr": _network(args.ssh_from or _public_address()),
        "KeyName": stack.key_name,
        "WorkerTypes": ",".join(stack.worker_types),
    }
    _deploy(stack, found, parameters)
    _create_spot_role(stack)
    if args.budget_email:
        set_budget(stack, args.budget_email, args.budget_usd)
    _create_token()
    _upload_weights(args.weights, f"s3://{bucket}/{stack.name}/weights")
    _print_quotas(stack)
    print(f"store    s3://{bucket}/{stack.name}\nnext     ray up infra/cluster.yaml", flush=True)


def _parameter(found: dict[str, Any] | None, name: str) -> str:
    """Value of a parameter of the deployed stack; empty if there is no stack."""
    rows = found["Parameters"] if found else []
    return next((str(row["ParameterValue"]) for row in rows if row["ParameterKey"] == name), "")


def _is_stack_bucket(found: dict[str, Any] | None, bucket: str) -> bool:
    return _parameter(found, "CreateBucket") == "true" and _parameter(found, "BucketName") == bucket


def _bucket_exists(stack: Stack, bucket: str) -> bool:
    """Whether the bucket exists in the region of the stack; UserError if it is in another region or access is denied."""
    try:
        with translate_aws_errors(f"bucket {bucket}"):
            answer = stack.client("s3").head_bucket(Bucket=bucket)
        default = stack.region
    except UserError as error:
        if not isinstance(error.__cause__, ClientError):
            raise
        answer, default = error.__cause__.response, "another region"
        code = answer["Error"]["Code"]
        if code == "404":
            return False
        if code == "403":
            raise UserError(
                f"--bucket is {bucket!r}: it exists, and these credentials have no access to it (403); choose another name"
            ) from error
        if code != "301":
            raise
    region = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", default)
    if region != stack.region:
        raise UserError(
            f"--bucket is {bucket!r}: it is in {region}, the cluster is in {stack.region}, which AWS bills as traffic; "
            "use a bucket of the cluster's region, or change the region in infra/cluster.yaml"
        )
    return True


def _default_vpc(stack: Stack) -> str:
    with translate_aws_errors("default VPC"):
        found = stack.client("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    if not found:
        raise UserError(f"--vpc is empty and {stack.region} has no default VPC; give --vpc vpc-... with public subnets")
    return str(found[0]["VpcId"])


def _public_address() -> str:
    """This machine's public IPv4 address as a /32 network."""
    try:
        with urllib.request.urlopen(_ADDRESS, timeout=10) as answer:
            return f"{answer.read().decode().strip()}/32"
    except OSError as error:
        raise UserError(
            f"--ssh_from is empty and {_ADDRESS} cannot be reached ({error}); give --ssh_from, such as 203.0.113.7/32"
        ) from None


def _network(text: str) -> str:
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise UserError(f"--ssh_from is {text!r}: {error}; give an IPv4 network such as 203.0.113.7/32") from None
    if network.prefixlen < 16:
        raise UserError(f"--ssh_from is {text!r}: more than 65,536 addresses; give your own network, such as 203.0.113.7/32")
    return str(network)


def _deploy(stack: Stack, found: dict[str, Any] | None, parameters: dict[str, str]) -> None:
    """Create the stack or update it, and wait until that is done."""
    cloudformation = stack.client("cloudformation")
    status = found["StackStatus"] if found else _READY[0]
    if status.endswith("_IN_PROGRESS"):
        raise UserError(f"stack {stack.name} is in {status}: another operation changes it; wait, then run this again")
    if status not in _READY:
        raise UserError(
            f"stack {stack.name} is in {status} ({stack.first_failure()}): make cloud-teardown, then run this again"
        )
    call = {
        "StackName": stack.name,
        "TemplateBody": TEMPLATE.read_text(),
        "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        "Capabilities": ["CAPABILITY_IAM"],
        "Tags": [{"Key": "project", "Value": stack.name}],
    }
    print(f"stack    {'updating' if found else 'creating'} {stack.name}, SSH from {parameters['SshCidr']} only", flush=True)
    try:
        with translate_aws_errors(f"stack {stack.name}"):
            (cloudformation.update_stack if found else cloudformation.create_stack)(**call)
            done = cloudformation.get_waiter("stack_update_complete" if found else "stack_create_complete")
            done.wait(StackName=stack.name, WaiterConfig={"Delay": 5, "MaxAttempts": 120})
    except UserError as error:
        if "No updates are to be performed" in str(error):
            return
        if isinstance(error.__cause__, WaiterError):
            raise UserError(
                f"stack {stack.name} failed: {stack.first_failure()}; fix this, then make cloud-teardown, then run this again"
            ) from error
        raise


def _create_spot_role(stack: Stack) -> None:
    """Create the role that an account needs for its first spot request, and that nodes may not create. It is free."""
    iam = stack.client("iam")
    exists = (iam.exceptions.InvalidInputException, iam.exceptions.EntityAlreadyExistsException)
    with translate_aws_errors("role of EC2 spot"), contextlib.suppress(*exists):
        iam.create_service_linked_role(AWSServiceName="spot.amazonaws.com")
        print("spot     the account may now use spot instances", flush=True)


def _create_token() -> None:
    """Create Ray's token, readable by its owner only, unless it exists."""
    token = Path.home() / ".ray" / "auth_token"
    if not token.exists():
        token.parent.mkdir(parents=True, exist_ok=True)
        with open(token, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as sink:
            sink.write(secrets.token_hex(32))
    token.chmod(0o600)
    print(f"token    {token}", flush=True)


def _upload_weights(weights: str, store: str) -> None:
    """Upload the files of the folder that the store lacks or has with another size."""
    if not weights:
        return
    folder = Path(weights).expanduser()
    files = sorted(path for path in folder.glob("*") if path.is_file()) if folder.is_dir() else []
    if not files:
        raise UserError(
            f"--weights is {weights!r}: not a folder that contains files; give one such as ~/.cache/torch/hub/checkpoints"
        )
    there = storage_uri("the store", store)
    sizes = {entry.key: entry.size for entry in there.entries()}
    for path in files:
        if sizes.get(path.name) != path.stat().st_size:
            there.upload(path.name, path, sha256=file_sha256(path))
            print(f"weights  {path.name} ({path.stat().st_size / 1e6:.0f} MB)", flush=True)


def _print_quotas(stack: Stack) -> None:
    """Print the GPU quotas in vCPUs; a quota that cannot be read is printed as unknown."""
    quotas = stack.client("service-quotas")
    for kind, code in _QUOTAS.items():
        try:
            value = quotas.get_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"]["Value"]
        except (ClientError, BotoCoreError) as error:
            reason = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
            print(f"quota    {kind}: unknown ({reason}); look under Service Quotas, {code}", flush=True)
            continue
        hint = "" if value >= 8 else "; no worker can start: request 32 under Service Quotas"
        print(f"quota    {kind}: {value:.0f} vCPUs of G instances, a g6.2xlarge needs 8{hint}", flush=True)


if __name__ == "__main__":
    run_job(main, Setup, __doc__)
