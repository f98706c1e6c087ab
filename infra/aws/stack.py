"""The cluster of infra/cluster.yaml and its CloudFormation stack, for setup, teardown and the nodes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from facegan.errors import UserError

HERE = Path(__file__).parent
CLUSTER = HERE.parent / "cluster.yaml"
TEMPLATE = HERE / "stack.yaml"

_CREDENTIALS = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with `aws sso login`"
_UNKNOWN_KEYS = "AWS does not know these keys, or the region is not enabled for the account"
_CURES = {
    "InvalidClientTokenId": f"AWS does not know these keys; {_CREDENTIALS}",
    "AuthFailure": f"{_UNKNOWN_KEYS}; {_CREDENTIALS}",
    "UnrecognizedClientException": f"{_UNKNOWN_KEYS}; {_CREDENTIALS}",
    "SignatureDoesNotMatch": f"the secret key is wrong; {_CREDENTIALS}",
    "ExpiredToken": f"the session has expired; {_CREDENTIALS}",
    "ExpiredTokenException": f"the session has expired; {_CREDENTIALS}",
    "RequestExpired": "the clock of this machine is wrong; set it",
}
_REFUSED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")


@dataclass(frozen=True)
class Stack:
    """Name and region of the cluster as infra/cluster.yaml gives them, and AWS clients for that region."""

    config: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the cluster and of the stack, and the value of the tag ray-cluster-name."""
        return str(self.config["cluster_name"])

    @property
    def region(self) -> str:
        """AWS region of the cluster."""
        return str(self.config["provider"]["region"])

    @property
    def key_name(self) -> str:
        """Prefix of the names of the SSH keys that Ray creates."""
        return str(self.config["provider"]["key_pair"]["key_name"])

    @property
    def parameter(self) -> str:
        """Name of the SSM parameter that holds the URI of the store."""
        return f"/{self.name}/store"

    def store(self) -> str:
        """The URI of the store, as the stack's parameter holds it."""
        with translate_aws_errors(f"parameter {self.parameter}"):
            return str(self.client("ssm").get_parameter(Name=self.parameter)["Parameter"]["Value"])

    @property
    def worker_types(self) -> list[str]:
        """Instance types of the workers, sorted."""
        types = self.config["available_node_types"]
        return sorted({t["node_config"]["InstanceType"] for n, t in types.items() if n != self.config["head_node_type"]})

    @cached_property
    def _session(self) -> Any:
        return boto3.session.Session(region_name=self.region)

    def client(self, service: str) -> Any:
        """A boto3 client of an AWS service in this region."""
        return self._session.client(service)

    @cached_property
    def account(self) -> str:
        """Number of the account that the credentials belong to. The request needs no permission."""
        with translate_aws_errors("caller identity"):
            return str(self.client("sts").get_caller_identity()["Account"])

    def describe(self) -> dict[str, Any] | None:
        """Description of the CloudFormation stack; None if it does not exist."""
        try:
            with translate_aws_errors(f"stack {self.name}"):
                found: dict[str, Any] = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
                return found
        except UserError as error:
            if isinstance(error.__cause__, ClientError) and "does not exist" in str(error.__cause__):
                return None
            raise

    def first_failure(self) -> str:
        """Resource and reason of the earliest failed event of the stack."""
        with translate_aws_errors(f"stack {self.name}"):
            events = self.client("cloudformation").describe_stack_events(StackName=self.name)["StackEvents"]
        reasons = [
            (e["LogicalResourceId"], e.get("ResourceStatusReason", "")) for e in events if "_FAILED" in e["ResourceStatus"]
        ]
        # Events come newest first. A cancelled resource failed because of another one.
        first = [f"{resource}: {reason}" for resource, reason in reasons if "cancelled" not in reason]
        return " ".join(first[-1].split()) if first else "no reason given"


def read_stack() -> Stack:
    """Return the stack of infra/cluster.yaml without a request to AWS."""
    return Stack(yaml.safe_load(CLUSTER.read_text()))


def open_stack() -> Stack:
    """Return the stack and print its account; UserError for missing credentials or another region in the environment."""
    stack = read_stack()
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if region and region != stack.region:
        raise UserError(f"AWS_REGION is {region!r}, infra/cluster.yaml says {stack.region!r}: make them equal")
    print(f"account  {stack.account}, region {stack.region}, cluster {stack.name}", flush=True)
    return stack


@contextmanager
def translate_aws_errors(what: str) -> Iterator[None]:
    """Turn errors of AWS and boto3 into a one-line UserError that begins with `what`; the original is its cause."""
    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"]["Code"], " ".join(error.response["Error"].get("Message", "").split())
        cure = _CURES.get(code)
        if code in _REFUSED:
            cure = f"access denied to {error.operation_name}; ask for this permission, or use credentials that have it"
        raise UserError(f"{what}: {cure or message or 'no reason given'} ({code})") from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise UserError(f"{what}: there are no AWS credentials here; {_CREDENTIALS}") from error
    except BotoCoreError as error:
        raise UserError(f"{what}: {' '.join(str(error).split())}; check the region and the network") from error
