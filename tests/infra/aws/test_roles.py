"""The rehearsal's own check of what nodes ask for can fail."""

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


def asked(folder: Path, **call: str) -> Path:
    """The notes of a node that made one call."""
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
def test_what_a_role_allows_passes(tmp_path: Path, call: dict[str, str]) -> None:
    check_roles(asked(tmp_path, **call))


@pytest.mark.parametrize(
    "call",
    [
        {"service": "s3", "action": "DeleteObject", "resource": "faces/mine/one"},
        {"service": "s3", "action": "GetObject", "resource": "faces/theirs/one"},
        {"service": "s3", "action": "ListBucket", "resource": "faces", "prefix": ""},
        {"service": "ec2", "action": "TerminateInstances"},
    ],
)
def test_what_a_role_does_not_allow_is_named(tmp_path: Path, call: dict[str, str]) -> None:
    with pytest.raises(AssertionError, match=call["action"]):
        check_roles(asked(tmp_path, **call))
