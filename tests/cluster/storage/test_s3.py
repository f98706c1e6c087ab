"""Buckets on a mock server in this process: the contract, and mistakes of users as one line each."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cluster.storage.leftovers import sweep_partials
from cluster.storage.s3_client import time_of
from cluster.storage.uri import StorageURI, storage_uri
from tests.cluster.storage.contract import CASES, LARGE, a_stale_tag_replaces_nothing, error_of, run_python, sha256
from tests.cluster.storage.s3_environment import s3_client
from tests.known import known

pytestmark = pytest.mark.s3

OPERATIONS: dict[str, Callable[[StorageURI, Path], Any]] = {
    "check": lambda storage, local: storage.check(),
    "exists": lambda storage, local: storage.exists("x"),
    "entries": lambda storage, local: storage.entries(),
    "read": lambda storage, local: storage.read("x"),
    "write": lambda storage, local: storage.write("x", b""),
    "claim": lambda storage, local: storage.write("x", b"", only_if_absent=True),
    "upload": lambda storage, local: storage.upload("x", local, sha256=sha256(b"")),
    "download": lambda storage, local: storage.download("x", local.with_name("copy"), size=9, sha256=""),
}

REPLACE = """
import sys, tracemalloc
from pathlib import Path
from cluster.storage.uri import StorageURI
storage, local = sys.argv[1:]
StorageURI(storage).check()  # imports boto3
tracemalloc.start()
StorageURI(storage).replace("large", Path(local), "")
print(tracemalloc.get_traced_memory()[1])
"""


@pytest.fixture
def bucket(moto: str, request: pytest.FixtureRequest) -> Iterator[StorageURI]:
    """A prefix of the bucket that no other test uses, next to another one that starts with it."""
    prefix = "".join(c if c.isalnum() else "-" for c in request.node.name)
    s3_client().put_object(Bucket="faces", Key=f"{prefix}2/of-another", Body=b"x")
    yield StorageURI(f"s3://faces/{prefix}")
    assert s3_client().list_multipart_uploads(Bucket="faces").get("Uploads", []) == []


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """An empty file."""
    (tmp_path / "local").write_bytes(b"")
    return tmp_path / "local"


@pytest.mark.parametrize("case", [*CASES, a_stale_tag_replaces_nothing], ids=lambda case: case.__name__)
def test_contract(case: Callable[[StorageURI, Path], None], bucket: StorageURI, tmp_path: Path) -> None:
    case(bucket, tmp_path)


def test_the_age_of_an_object_is_by_the_clock_of_the_server(bucket: StorageURI, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.write("x", b"x")
    (entry,) = bucket.entries()
    assert entry.age is not None and 0 <= entry.age < 60
    monkeypatch.setattr("cluster.storage.s3.time_of", lambda answer: known(time_of(answer)) + 600)
    (entry,) = bucket.entries()
    assert entry.age is not None and 600 <= entry.age < 660
    assert time_of({"ResponseMetadata": {"HTTPHeaders": {"date": "Thu, 01 Jan 1970 01:00:00 GMT"}}}) == 3600
    assert time_of({"ResponseMetadata": {"HTTPHeaders": {}}}) is None


def test_a_bucket_without_a_prefix(moto: str) -> None:
    s3_client().create_bucket(Bucket="whole")
    whole = storage_uri("--data", "s3://whole/")
    whole.check()
    whole.write("a/b", b"x")
    assert [entry.key for entry in whole.entries()] == ["a/b"] and whole.read("a/b") == b"x"
    sweep_partials(whole)  # does nothing: a bucket has no unfinished files


def test_files_above_8_mib_are_uploaded_in_parts(bucket: StorageURI, local: Path) -> None:
    for size, parts in ((8 << 20, ""), ((8 << 20) + 1, "-2"), ((40 << 20) + 7, "-6")):
        content = (LARGE * 5)[:size]
        local.write_bytes(content)
        bucket.upload("large", local, sha256=sha256(content))
        (entry,) = bucket.entries()
        assert (entry.size, entry.tag[32:]) == (size, parts)
        assert bucket.read("large") == content


def test_a_replacement_is_streamed_in_one_request(bucket: StorageURI, local: Path) -> None:
    local.write_bytes(LARGE * 6)
    replacing = run_python(REPLACE, str(bucket), str(local))
    peak = int(replacing.communicate(timeout=60)[0])
    assert peak < 16 << 20, "bytes, for a file of 54 MiB"
    (entry,) = bucket.entries()
    assert "-" not in entry.tag and bucket.read("large") == LARGE * 6


def test_listings_of_several_pages_are_complete(bucket: StorageURI) -> None:
    """A server lists at most 1000 objects per request."""
    keys = [f"{n % 7}/{n:04}" for n in range(1003)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: bucket.write(key, b""), keys))
    assert [entry.key for entry in bucket.entries()] == sorted(keys)


def test_invalid_keys_of_other_programs_are_not_listed(bucket: StorageURI) -> None:
    """Other programs can write keys that are not valid paths; a copy could end outside its folder."""
    prefix = bucket.uri.removeprefix("s3://faces/")
    for key in ("../up", "a/../../up", "a//b", "/root", "folder/", "x.partial", "good"):
        s3_client().put_object(Bucket="faces", Key=f"{prefix}/{key}", Body=b"x")
    assert [entry.key for entry in bucket.entries()] == ["good"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_missing_bucket_is_a_user_error(moto: str, operation: str, local: Path) -> None:
    message = error_of(OPERATIONS[operation], StorageURI("s3://elsewhere/data"), local)
    assert message.startswith("s3://elsewhere/data") and "there is no such bucket (NoSuchBucket); create it or" in message


def test_names_that_s3_refuses_are_user_errors(bucket: StorageURI, local: Path) -> None:
    long = "f" * 256
    for operation in OPERATIONS.values():
        message = error_of(operation, StorageURI(f"s3://{long}/data"), local)
        assert message.startswith(f"s3://{long}/data") and "this is not a valid name for a bucket or an object" in message
    assert "this is not a valid name for a bucket or an object" in error_of(lambda: bucket.write("not-utf8-\udcff", b""))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_missing_credentials_are_a_user_error(moto: str, operation: str, local: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    message = error_of(OPERATIONS[operation], StorageURI("s3://faces/data"), local)
    assert message.startswith("s3://faces/data") and "there are no credentials" in message
    assert message.endswith("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")


def test_wrong_environment_variables_are_user_errors(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "there are no credentials (Partial credentials" in error_of(StorageURI("s3://faces").check)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    message = error_of(StorageURI("s3://faces").check)
    assert "Invalid endpoint: nonsense" in message and message.endswith(
        "correct the environment variable AWS_... that this names"
    )
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "nobody" in error_of(StorageURI("s3://faces").check)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_unreachable_server_is_a_user_error_after_retries(
    moto: str, operation: str, local: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and not listening
        server = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", server)
        message = error_of(OPERATIONS[operation], StorageURI("s3://faces/data"), local)
    assert f"{server} cannot be reached" in message
    assert message.endswith("check that it runs, or set AWS_ENDPOINT_URL")
    assert len(pauses) == (1 if operation == "check" else 5)
    assert 0 < sum(pauses) < 60


def test_check_reports_an_unreachable_server_within_5_seconds(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With real pauses: nobody waits longer than this for a wrong AWS_ENDPOINT_URL."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        begin = time.monotonic()
        assert "cannot be reached" in error_of(StorageURI("s3://faces").check)
        assert time.monotonic() - begin < 5


def test_a_silent_server_times_out(moto: str, local: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    monkeypatch.setattr("cluster.storage.s3_client._SILENCE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        for name in ("check", "read"):
            begin = time.monotonic()
            message = error_of(OPERATIONS[name], StorageURI("s3://faces/data"), local)
            assert "cannot be reached (Read timeout" in message
            assert time.monotonic() - begin < 5
