"""Buckets as places, on a server in this process: the contract, and what users do wrong, as one line each."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cluster.storage.leftovers import sweep_partials
from cluster.storage.uri import StorageURI, storage_uri
from tests.cluster.storage.contract import BIG, CASES, a_stale_tag_replaces_nothing, alone, said_by, sha256
from tests.cluster.storage.s3_environment import s3_client

pytestmark = pytest.mark.s3

OPERATIONS: dict[str, Callable[[StorageURI, Path], Any]] = {
    "check": lambda place, local: place.check(),
    "exists": lambda place, local: place.exists("x"),
    "entries": lambda place, local: place.entries(),
    "read": lambda place, local: place.read("x"),
    "write": lambda place, local: place.write("x", b""),
    "claim": lambda place, local: place.write("x", b"", only_if_absent=True),
    "upload": lambda place, local: place.upload("x", local, sha256=sha256(b"")),
    "download": lambda place, local: place.download("x", local.with_name("copy"), size=9, sha256=""),
}

REPLACE = """
import sys, tracemalloc
from pathlib import Path
from cluster.storage.uri import StorageURI
place, local = sys.argv[1:]
StorageURI(place).check()  # imports boto3
tracemalloc.start()
StorageURI(place).replace("large", Path(local), "")
print(tracemalloc.get_traced_memory()[1])
"""


@pytest.fixture
def bucket(moto: str, request: pytest.FixtureRequest) -> Iterator[StorageURI]:
    """A prefix of the bucket that no other test uses, beside another whose name begins with it."""
    prefix = "".join(c if c.isalnum() else "-" for c in request.node.name)
    s3_client().put_object(Bucket="faces", Key=f"{prefix}2/of-another", Body=b"x")
    yield StorageURI(f"s3://faces/{prefix}")
    assert s3_client().list_multipart_uploads(Bucket="faces").get("Uploads", []) == []


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """An empty file."""
    (tmp_path / "local").write_bytes(b"")
    return tmp_path / "local"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_contract(case: Callable[[StorageURI, Path], None], bucket: StorageURI, tmp_path: Path) -> None:
    case(bucket, tmp_path)


def test_a_whole_bucket_is_a_place(moto: str) -> None:
    s3_client().create_bucket(Bucket="whole")
    whole = storage_uri("--data", "s3://whole/")
    whole.check()
    whole.write("a/b", b"x")
    assert [entry.key for entry in whole.entries()] == ["a/b"] and whole.read("a/b") == b"x"
    sweep_partials(whole)  # nothing to sweep: a bucket shows nothing unfinished


def test_large_files_go_up_in_parts(bucket: StorageURI, local: Path) -> None:
    for size, parts in ((8 << 20, ""), ((8 << 20) + 1, "-2"), ((40 << 20) + 7, "-6")):
        content = (BIG * 5)[:size]
        local.write_bytes(content)
        bucket.upload("large", local, sha256=sha256(content))
        (entry,) = bucket.entries()
        assert (entry.size, entry.tag[32:]) == (size, parts)
        assert bucket.read("large") == content


def test_a_replacement_is_streamed_in_one_request(bucket: StorageURI, local: Path) -> None:
    local.write_bytes(BIG * 6)
    replacing = alone(REPLACE, str(bucket), str(local))
    peak = int(replacing.communicate(timeout=60)[0])
    assert peak < 16 << 20, "bytes, for a file of 54 MiB"
    (entry,) = bucket.entries()
    assert "-" not in entry.tag and bucket.read("large") == BIG * 6


def test_a_listing_of_many(bucket: StorageURI) -> None:
    """A server lists no more than 1000 at a time."""
    keys = [f"{n % 7}/{n:04}" for n in range(1003)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda key: bucket.write(key, b""), keys))
    assert [entry.key for entry in bucket.entries()] == sorted(keys)


def test_foreign_names_are_not_objects_of_a_place(bucket: StorageURI) -> None:
    """What other programs wrote and no folder could hold: a copy of it would land outside the folder meant for it."""
    prefix = bucket.uri.removeprefix("s3://faces/")
    for key in ("../up", "a/../../up", "a//b", "/root", "folder/", "x.partial", "good"):
        s3_client().put_object(Bucket="faces", Key=f"{prefix}/{key}", Body=b"x")
    assert [entry.key for entry in bucket.entries()] == ["good"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_bucket_that_is_not_there(moto: str, operation: str, local: Path) -> None:
    said = said_by(OPERATIONS[operation], StorageURI("s3://elsewhere/data"), local)
    assert said.startswith("s3://elsewhere/data") and "there is no such bucket (NoSuchBucket); create it or" in said


def test_names_that_s3_refuses(bucket: StorageURI, local: Path) -> None:
    long = "f" * 256
    for operation in OPERATIONS.values():
        said = said_by(operation, StorageURI(f"s3://{long}/data"), local)
        assert said.startswith(f"s3://{long}/data") and "no bucket or object can be called so" in said
    assert "no bucket or object can be called so" in said_by(lambda: bucket.write("not-utf8-\udcff", b""))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_without_credentials(moto: str, operation: str, local: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    said = said_by(OPERATIONS[operation], StorageURI("s3://faces/data"), local)
    assert said.startswith("s3://faces/data") and "there are no credentials" in said
    assert said.endswith("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")


def test_half_credentials_and_wrong_variables(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "there are no credentials (Partial credentials" in said_by(StorageURI("s3://faces").check)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    said = said_by(StorageURI("s3://faces").check)
    assert "Invalid endpoint: nonsense" in said and said.endswith("correct the variable AWS_... that this is about")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "nobody" in said_by(StorageURI("s3://faces").check)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_server_that_does_not_run(
    moto: str, operation: str, local: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, and not listening
        server = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", server)
        said = said_by(OPERATIONS[operation], StorageURI("s3://faces/data"), local)
    assert f"{server} cannot be reached" in said
    assert said.endswith("see that it runs, or set AWS_ENDPOINT_URL")
    assert len(pauses) == (1 if operation == "check" else 5)
    assert 0 < sum(pauses) < 60


def test_a_server_that_does_not_run_is_said_soon(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the pauses as they are: nobody waits longer than this for a wrong AWS_ENDPOINT_URL."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        begin = time.monotonic()
        assert "cannot be reached" in said_by(StorageURI("s3://faces").check)
        assert time.monotonic() - begin < 5


def test_a_server_that_says_nothing(moto: str, local: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    monkeypatch.setattr("cluster.storage.s3_client._SILENCE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        for name in ("check", "read"):
            begin = time.monotonic()
            said = said_by(OPERATIONS[name], StorageURI("s3://faces/data"), local)
            assert "cannot be reached (Read timeout" in said
            assert time.monotonic() - begin < 5


def test_a_stale_tag_replaces_nothing(bucket: StorageURI, tmp_path: Path) -> None:
    a_stale_tag_replaces_nothing(bucket, tmp_path)
