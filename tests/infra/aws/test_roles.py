"""The check of the rehearsal that nodes stay within their roles: what passes and what fails."""

import json
from pathlib import Path

import pytest

from tests.cloud.roles import check_roles

STORE = {
    "Effect": "Allow",
    "Action": ["s3:GetObject", "s3:PutObject"],
    "Resource": "arn:aws:s3:::faces/mine/*",
}
LIST = {
    "Effect": "Allow",
    "Action": "s3:ListBucket",
    "Resource": "arn:aws:s3:::faces",
    "Condition": {"StringLike": {"s3:prefix": "mine/*"}},
}
NEVER = {"Effect": "Deny", "Action": "ec2:TerminateInstances", "Resource": "*"}
START = {"Effect": "Allow", "Action": ["ec2:RunInstances"], "Resource": "*"}


def record(folder: Path, **call: str) -> Path:
    """Write the records of a node that made one call; return the file of calls."""
    (folder / "roles.json").write_text(json.dumps({"key": {"role": "node", "statements": [STORE, LIST, START, NEVER]}}))
    (folder / "calls.jsonl").write_text(json.dumps({"key": "key"} | call) + "\n")
    return folder / "calls.jsonl"


@pytest.mark.parametrize(
    "call",
    [
        {"service": "s3", "action": "PutObject", "resource": "faces/mine/one"},
        {"service": "s3", "action": "ListBucket", "resource": "faces", "prefix": "mine/set/"},
        {"service": "ec2", "action": "RunInstances"},
    ],
)
def test_allowed_call_passes(tmp_path: Path, call: dict[str, str]) -> None:
    check_roles(record(tmp_path, **call))


@pytest.mark.parametrize(
    "call",
    [
        {"service": "s3", "action": "DeleteObject", "resource": "faces/mine/one"},
        {"service": "s3", "action": "GetObject", "resource": "faces/theirs/one"},
        {"service": "s3", "action": "ListBucket", "resource": "faces", "prefix": ""},
        {"service": "ec2", "action": "TerminateInstances"},
    ],
)
def test_call_that_is_not_allowed_is_reported(tmp_path: Path, call: dict[str, str]) -> None:
    with pytest.raises(AssertionError, match=call["action"]):
        check_roles(record(tmp_path, **call))
