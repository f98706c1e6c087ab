"""Create or update what `ray up infra/cluster.yaml` needs on AWS; run it again after the address, the region or a type changed.

Costs nothing by itself. Prints what it does, and at last the GPU quotas, which new accounts have at 0.
"""

import contextlib
import ipaddress
import os
import secrets
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from cluster.cli import run_job
from cluster.storage import place
from facegan.cache import file_sha256
from facegan.config import UserError
from infra.aws.budget import set_budget
from infra.aws.stack import TEMPLATE, Stack, open_stack, said

_ADDRESS = "https://checkip.amazonaws.com"
_READY = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
_QUOTAS = {"spot": "L-3819A6DF", "on demand": "L-DB2E81BA"}


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Arguments of infra/aws/setup.py."""

    bucket: str = ""
    """An existing bucket of this region or the name of a new one; by default facegan-<account>-<region>."""
    ssh_from: str = ""
    """The network from which nodes accept SSH, such as 203.0.113.0/24; by default this machine's public address."""
    vpc: str = ""
    """The network of the nodes; by default the region's default VPC."""
    weights: str = ""
    """A folder with weights to put into the bucket, such as ~/.cache/torch/hub/checkpoints."""
    budget_email: str = ""
    """Whom AWS tells when the account's month gets expensive."""
    budget_usd: int = 200
    """The month's budget of the account, US dollars."""


def main(args: Setup) -> None:
    """Everything in order; each part is left as it is where it is right already."""
    stack = open_stack()
    found = stack.describe()
    bucket = args.bucket or _told(found, "BucketName") or f"{stack.name}-{stack.account}-{stack.region}"
    parameters = {
        "ClusterName": stack.name,
        "BucketName": bucket,
        "CreateBucket": "true" if _is_ours(stack, found, bucket) or not _exists(stack, bucket) else "false",
        "VpcId": args.vpc or _default_vpc(stack),
        "SshCidr": _network(args.ssh_from or _own_address()),
        "KeyName": stack.key_name,
        "WorkerTypes": ",".join(stack.worker_types),
    }
    _deploy(stack, found, parameters)
    _let_spot_work(stack)
    if args.budget_email:
        set_budget(stack, args.budget_email, args.budget_usd)
    _make_token()
    _upload(args.weights, f"s3://{bucket}/{stack.name}/weights")
    _say_quotas(stack)
    print(f"store    s3://{bucket}/{stack.name}\nnext     ray up infra/cluster.yaml", flush=True)


def _told(found: dict[str, Any] | None, name: str) -> str:
    """A parameter of the stack as it is."""
    rows = found["Parameters"] if found else []
    return next((str(row["ParameterValue"]) for row in rows if row["ParameterKey"] == name), "")


def _is_ours(stack: Stack, found: dict[str, Any] | None, bucket: str) -> bool:
    return bool(found) and _told(found, "CreateBucket") == "true" and _told(found, "BucketName") == bucket


def _exists(stack: Stack, bucket: str) -> bool:
    s3 = stack.client("s3")
    try:
        region = s3.head_bucket(Bucket=bucket)["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", stack.region)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "404":
            return False
        if code == "301":
            region = error.response["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", "another region")
        else:
            raise UserError(f"--bucket is {bucket!r}: it exists and is not yours ({code}); choose another name") from error
    if region != stack.region:
        raise UserError(
            f"--bucket is {bucket!r}: it lies in {region}, the cluster in {stack.region}, and each reading would be billed; "
            "use a bucket of the region, or change the region in infra/cluster.yaml"
        )
    return True


def _default_vpc(stack: Stack) -> str:
    with said("default VPC"):
        found = stack.client("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    if not found:
        raise UserError(f"there is no default VPC in {stack.region}: name one with public subnets by --vpc vpc-...")
    return str(found[0]["VpcId"])


def _own_address() -> str:
    try:
        with urllib.request.urlopen(_ADDRESS, timeout=10) as answer:
            return f"{answer.read().decode().strip()}/32"
    except OSError as error:
        raise UserError(
            f"{_ADDRESS} does not say this machine's address ({error}): give --ssh_from, such as 203.0.113.7/32"
        ) from None


def _network(text: str) -> str:
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise UserError(f"--ssh_from is {text!r}: {error}; an IPv4 network such as 203.0.113.7/32") from None
    if network.prefixlen < 16:
        raise UserError(f"--ssh_from is {text!r}: more than 65,536 addresses; name your own network, such as 203.0.113.7/32")
    return str(network)


def _deploy(stack: Stack, found: dict[str, Any] | None, parameters: dict[str, str]) -> None:
    cloudformation = stack.client("cloudformation")
    _refuse_broken(stack, found)
    call = {
        "StackName": stack.name,
        "TemplateBody": TEMPLATE.read_text(),
        "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        "Capabilities": ["CAPABILITY_IAM"],
        "Tags": [{"Key": "project", "Value": stack.name}],
    }
    print(f"stack    {'updating' if found else 'creating'} {stack.name}, SSH from {parameters['SshCidr']} only", flush=True)
    try:
        with said(f"stack {stack.name}"):
            (cloudformation.update_stack if found else cloudformation.create_stack)(**call)
            done = cloudformation.get_waiter("stack_update_complete" if found else "stack_create_complete")
            done.wait(StackName=stack.name, WaiterConfig={"Delay": 5, "MaxAttempts": 120})
    except UserError as error:
        if "No updates are to be performed" in str(error):
            return
        if isinstance(error.__cause__, WaiterError):
            raise UserError(
                f"stack {stack.name} failed: {stack.first_failure()}; mend that, make cloud-teardown, again"
            ) from error
        raise


def _refuse_broken(stack: Stack, found: dict[str, Any] | None) -> None:
    status = found["StackStatus"] if found else _READY[0]
    if status.endswith("_IN_PROGRESS"):
        raise UserError(f"stack {stack.name} is in {status}: somebody is at work on it; wait and run again")
    if status not in _READY:
        raise UserError(f"stack {stack.name} is in {status} ({stack.first_failure()}): make cloud-teardown, then again")


def _let_spot_work(stack: Stack) -> None:
    """An account's first spot request needs a role that only its owner may make. It stays: it costs nothing."""
    iam = stack.client("iam")
    there = (iam.exceptions.InvalidInputException, iam.exceptions.EntityAlreadyExistsException)
    with said("role of EC2 spot"), contextlib.suppress(*there):
        iam.create_service_linked_role(AWSServiceName="spot.amazonaws.com")
        print("spot     the account may now use spot instances", flush=True)


def _make_token() -> None:
    token = Path.home() / ".ray" / "auth_token"
    if not token.exists():
        token.parent.mkdir(parents=True, exist_ok=True)
        with open(token, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as sink:
            sink.write(secrets.token_hex(32))
    token.chmod(0o600)
    print(f"token    {token}", flush=True)


def _upload(weights: str, store: str) -> None:
    if not weights:
        return
    folder = Path(weights).expanduser()
    files = sorted(path for path in folder.glob("*") if path.is_file()) if folder.is_dir() else []
    if not files:
        raise UserError(f"--weights is {weights!r}: no folder with files")
    there = place("the store", store)
    sizes = {entry.key: entry.size for entry in there.entries()}
    for path in files:
        if sizes.get(path.name) != path.stat().st_size:
            there.upload(path.name, path, sha256=file_sha256(path))
            print(f"weights  {path.name} ({path.stat().st_size / 1e6:.0f} MB)", flush=True)


def _say_quotas(stack: Stack) -> None:
    quotas = stack.client("service-quotas")
    for kind, code in _QUOTAS.items():
        try:
            value = quotas.get_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"]["Value"]
        except ClientError as error:
            print(
                f"quota    {kind}: not known ({error.response['Error']['Code']}); look under Service Quotas, {code}", flush=True
            )
            continue
        hint = "" if value >= 8 else "; no worker can start: ask for 32 under Service Quotas"
        print(f"quota    {kind}: {value:.0f} vCPUs of G instances, a g6.2xlarge takes 8{hint}", flush=True)


if __name__ == "__main__":
    run_job(main, Setup, __doc__)
