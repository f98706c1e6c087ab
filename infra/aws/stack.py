"""What infra/cluster.yaml says and AWS knows of this cluster: for cloud_setup, cloud_teardown and the nodes themselves."""

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

from facegan.config import UserError

HERE = Path(__file__).parent
CLUSTER = HERE.parent / "cluster.yaml"
TEMPLATE = HERE / "stack.yaml"

_CREDENTIALS = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in with `aws sso login`"
_CURES = {
    "InvalidClientTokenId": f"AWS does not know these keys; {_CREDENTIALS}",
    "AuthFailure": f"AWS does not know these keys, or the account not this region; {_CREDENTIALS}",
    "UnrecognizedClientException": f"AWS does not know these keys, or the account not this region; {_CREDENTIALS}",
    "SignatureDoesNotMatch": f"the secret key is wrong; {_CREDENTIALS}",
    "ExpiredToken": f"the session is over; {_CREDENTIALS}",
    "ExpiredTokenException": f"the session is over; {_CREDENTIALS}",
    "RequestExpired": "set this machine's clock",
}
_REFUSED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")


@dataclass(frozen=True)
class Stack:
    """The cluster's name and region from infra/cluster.yaml, and clients for it."""

    config: dict[str, Any]

    @property
    def name(self) -> str:
        """The cluster's name, which is also the stack's and the value of the tag ray-cluster-name."""
        return str(self.config["cluster_name"])

    @property
    def region(self) -> str:
        """Where everything is."""
        return str(self.config["provider"]["region"])

    @property
    def key_name(self) -> str:
        """How the names of Ray's SSH keys begin."""
        return str(self.config["provider"]["key_pair"]["key_name"])

    @property
    def parameter(self) -> str:
        """The SSM parameter that holds the store's URI."""
        return f"/{self.name}/store"

    @property
    def worker_types(self) -> list[str]:
        """Instance types of the workers."""
        types = self.config["available_node_types"]
        return sorted({t["node_config"]["InstanceType"] for n, t in types.items() if n != self.config["head_node_type"]})

    @cached_property
    def _session(self) -> Any:
        return boto3.session.Session(region_name=self.region)

    def client(self, service: str) -> Any:
        """A client of one of AWS's services in this region."""
        return self._session.client(service)

    @cached_property
    def account(self) -> str:
        """The number of the account whose credentials these are; the first thing to ask, because it needs no right."""
        with said("who am I"):
            return str(self.client("sts").get_caller_identity()["Account"])

    def describe(self) -> dict[str, Any] | None:
        """The CloudFormation stack, or None."""
        try:
            with said(f"stack {self.name}"):
                found: dict[str, Any] = self.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"][0]
                return found
        except UserError as error:
            if isinstance(error.__cause__, ClientError) and "does not exist" in str(error.__cause__):
                return None
            raise

    def first_failure(self) -> str:
        """Why the stack failed: the earliest failed event, in its words."""
        with said(f"stack {self.name}"):
            events = self.client("cloudformation").describe_stack_events(StackName=self.name)["StackEvents"]
        reasons = [
            (e["LogicalResourceId"], e.get("ResourceStatusReason", "")) for e in events if "_FAILED" in e["ResourceStatus"]
        ]
        # Newest first; what was cancelled failed because of another.
        first = [f"{resource}: {reason}" for resource, reason in reasons if "cancelled" not in reason]
        return " ".join(first[-1].split()) if first else "no reason given"


def read_stack() -> Stack:
    """The stack of infra/cluster.yaml; nobody is asked."""
    return Stack(yaml.safe_load(CLUSTER.read_text()))


def open_stack() -> Stack:
    """The stack for its owner; a UserError where the environment means another region, or has no credentials."""
    stack = read_stack()
    meant = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if meant and meant != stack.region:
        raise UserError(f"AWS_REGION is {meant!r}, infra/cluster.yaml says {stack.region!r}: make them equal")
    print(f"account  {stack.account}, region {stack.region}, cluster {stack.name}", flush=True)
    return stack


@contextmanager
def said(what: str) -> Iterator[None]:
    """A UserError of one line for what AWS or its client refuses."""
    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"]["Code"], " ".join(error.response["Error"].get("Message", "").split())
        cure = _CURES.get(code)
        if code in _REFUSED:
            cure = f"access denied to {error.operation_name}; ask for the right to it, or use credentials of someone who has it"
        raise UserError(f"{what}: {cure or message or 'no reason given'} ({code})") from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise UserError(f"{what}: there are no AWS credentials here; {_CREDENTIALS}") from error
    except BotoCoreError as error:
        raise UserError(f"{what}: {' '.join(str(error).split())}; see that the region and the network are right") from error
