"""Conditional writes to a bucket behind a faulty network: lost answers, lost races and conflicts."""

from pathlib import Path

import pytest

from cluster.storage.objects import AlreadyThere
from cluster.storage.uri import StorageURI
from facegan.errors import UserError
from tests.cluster.storage.contract import LARGE
from tests.cluster.storage.proxy import Fault, Proxy

pytestmark = pytest.mark.s3


@pytest.fixture
def bucket(proxy: Proxy, request: pytest.FixtureRequest) -> StorageURI:
    """A prefix that no other test uses."""
    return StorageURI("s3://faces/" + "".join(c if c.isalnum() else "-" for c in request.node.name))


def test_a_conditional_write_whose_answer_was_lost_succeeds(bucket: StorageURI, proxy: Proxy, pauses: list[float]) -> None:
    proxy.faults.append(Fault(lost=True))
    bucket.write("claim", b"the same", only_if_absent=True)
    # Another writer of the same content loses, also if its own answer was lost.
    proxy.faults.append(Fault(lost=True))
    with pytest.raises(AlreadyThere):
        bucket.write("claim", b"the same", only_if_absent=True)
    with pytest.raises(AlreadyThere):
        bucket.write("claim", b"other", only_if_absent=True)
    assert bucket.read("claim") == b"the same"


@pytest.mark.parametrize("content", [b"small", LARGE], ids=["small", "large"])
def test_a_replacement_whose_answer_was_lost_succeeds(
    content: bytes, bucket: StorageURI, proxy: Proxy, tmp_path: Path, pauses: list[float]
) -> None:
    (tmp_path / "file").write_bytes(content)
    first = bucket.replace("file", tmp_path / "file", "")
    (tmp_path / "file").write_bytes(b"changed" + content)
    proxy.faults.append(Fault(lost=True, method="PUT"))
    second = bucket.replace("file", tmp_path / "file", first)
    assert second == next(entry.tag for entry in bucket.entries("file"))
    assert bucket.read("file") == b"changed" + content and not proxy.faults
    proxy.faults.append(Fault(lost=True, method="PUT"))
    with pytest.raises(AlreadyThere):
        bucket.replace("file", tmp_path / "file", first)


@pytest.mark.parametrize("content", [b"small", LARGE], ids=["small", "large"])
def test_a_retried_replacement_that_lost_the_race_changes_nothing(
    content: bytes, bucket: StorageURI, proxy: Proxy, tmp_path: Path, pauses: list[float]
) -> None:
    (tmp_path / "file").write_bytes(content)
    first = bucket.replace("file", tmp_path / "file", "")
    (tmp_path / "file").write_bytes(b"changed" + content)
    refused = Fault(status=412, code="PreconditionFailed", method="PUT")
    proxy.faults.extend([Fault(status=503, method="PUT"), refused])
    with pytest.raises(AlreadyThere):
        bucket.replace("file", tmp_path / "file", first)
    assert bucket.read("file") == content and not proxy.faults


def test_a_replacement_in_conflict_is_sent_again_completely(
    bucket: StorageURI, proxy: Proxy, tmp_path: Path, pauses: list[float]
) -> None:
    (tmp_path / "file").write_bytes(LARGE)
    proxy.faults.extend([Fault(status=409, method="PUT")] * 5)
    bucket.replace("file", tmp_path / "file", "")
    assert bucket.read("file") == LARGE and not proxy.faults


def test_a_conditional_write_in_conflict_is_tried_again(bucket: StorageURI, proxy: Proxy, pauses: list[float]) -> None:
    """409: another request is in progress and may still fail."""
    proxy.faults.extend([Fault(status=409)] * 5)
    bucket.write("claim", b"mine", only_if_absent=True)
    assert bucket.read("claim") == b"mine"
    proxy.always = Fault(status=409)
    with pytest.raises(UserError, match=f"{bucket}/new: .*409"):
        bucket.write("new", b"mine", only_if_absent=True)
