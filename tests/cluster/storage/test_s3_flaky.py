"""Buckets behind a faulty network: retries, resumed downloads, and when an operation fails."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cluster.storage.uri import StorageURI
from facegan.errors import UserError
from tests.cluster.storage.contract import LARGE, sha256
from tests.cluster.storage.proxy import Fault, Proxy
from tests.cluster.storage.s3_environment import end_uploads, s3_client

pytestmark = pytest.mark.s3

CONTENT = os.urandom(5 << 20)
SMALL = b"small"


@pytest.fixture
def bucket(moto: str, proxy: Proxy, request: pytest.FixtureRequest) -> StorageURI:
    """A prefix that no other test uses, with CONTENT at `x`."""
    prefix = "".join(c if c.isalnum() else "-" for c in request.node.name)
    s3_client(endpoint_url=moto).put_object(Bucket="faces", Key=f"{prefix}/x", Body=CONTENT)
    return StorageURI(f"s3://faces/{prefix}")


def operations(storage: StorageURI, folder: Path) -> dict[str, Callable[[], object]]:
    (folder / "small").write_bytes(SMALL)
    (folder / "big").write_bytes(LARGE)
    return {
        "exists": lambda: storage.exists("x"),
        "entries": lambda: storage.entries(),
        "read": lambda: storage.read("x"),
        "write": lambda: storage.write("y", b""),
        "claim": lambda: storage.write("z", b"", only_if_absent=True),
        "upload": lambda: storage.upload("small", folder / "small", sha256=sha256(SMALL)),
        "upload in parts": lambda: storage.upload("big", folder / "big", sha256=sha256(LARGE)),
        "download": lambda: storage.download("x", folder / "copy", size=len(CONTENT), sha256=sha256(CONTENT)),
    }


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(status=500), Fault(lost=True)], ids=["503", "500", "lost"])
def test_requests_that_fail_five_times_succeed(
    fault: Fault, bucket: StorageURI, proxy: Proxy, tmp_path: Path, pauses: list[float]
) -> None:
    for name, operation in operations(bucket, tmp_path).items():
        pauses.clear()
        proxy.faults.extend([fault] * 5)
        operation()
        assert not proxy.faults, name
        assert len(pauses) == 5 and max(pauses) <= 20, name
    if fault.lost:
        end_uploads()
    assert (tmp_path / "copy").read_bytes() == CONTENT == bucket.read("x")
    assert [entry.key for entry in bucket.entries()] == ["big", "small", "x", "y", "z"]


def test_requests_that_fail_six_times_are_user_errors(
    bucket: StorageURI, proxy: Proxy, tmp_path: Path, pauses: list[float]
) -> None:
    for fault, reason in {
        Fault(status=503): "failed several times (503); try again later",
        Fault(lost=True): "reached",
    }.items():
        for name, operation in (operations(bucket, tmp_path) | {"check": bucket.check}).items():
            proxy.always = fault
            proxy.requests.clear()
            with pytest.raises(UserError, match=str(bucket)) as refused:
                operation()
            assert reason in str(refused.value) and "\n" not in str(refused.value), name
            assert len(proxy.requests) == (2 if name == "check" else 6), name
            proxy.always = Fault()
            if name in ("write", "claim", "upload", "upload in parts") and fault.status:
                assert len(bucket.entries()) == 1, name
    end_uploads()
    assert sum(pauses) > 60, "each operation waits 15 s on average, however many failed before"


def test_pauses_grow_and_have_jitter(bucket: StorageURI, proxy: Proxy, pauses: list[float]) -> None:
    """Without jitter, workers that a server turned away together return together."""
    proxy.always = Fault(cut=9, method="GET")
    for _ in range(8):
        with pytest.raises(UserError, match="cannot be reached"):
            bucket.read("x")
    runs = [pauses[at : at + 5] for at in range(0, len(pauses), 5)]
    assert len(pauses) == 40 and len({round(run[0], 6) for run in runs}) == 8
    for run in runs:
        assert all(0.5 <= pause / (0.2 * 2 ** (n + 1)) <= 1.0 for n, pause in enumerate(run))


def test_a_read_whose_connection_breaks_is_repeated(bucket: StorageURI, proxy: Proxy, pauses: list[float]) -> None:
    proxy.faults.extend([Fault(cut=0), Fault(cut=1), Fault(cut=len(CONTENT) - 1)])
    assert bucket.read("x") == CONTENT
    assert len(proxy.requests) == 4


def test_a_download_resumes_where_the_connection_broke(
    bucket: StorageURI, proxy: Proxy, tmp_path: Path, pauses: list[float]
) -> None:
    # More breaks than attempts: an attempt that received 1 MiB resets the count.
    proxy.faults.extend([Fault(cut=(1 << 20) + (1 << 18))] * 3 + [Fault(cut=0)] * 4)
    bucket.download("x", tmp_path / "copy", size=len(CONTENT), sha256=sha256(CONTENT))
    assert (tmp_path / "copy").read_bytes() == CONTENT
    assert not proxy.faults and proxy.sent < len(CONTENT) + 3 * (1 << 18) + 1


def test_a_later_download_resumes_a_failed_one(bucket: StorageURI, proxy: Proxy, tmp_path: Path, pauses: list[float]) -> None:
    proxy.always = Fault(cut=600_000)
    with pytest.raises(UserError, match="cannot be reached"):
        bucket.download("x", tmp_path / "copy", size=len(CONTENT), sha256=sha256(CONTENT))
    assert len(proxy.requests) == 6 and not (tmp_path / "copy").exists()
    kept = (tmp_path / "copy.partial").stat().st_size
    assert kept > 2 << 20
    proxy.always, proxy.sent = Fault(), 0
    bucket.download("x", tmp_path / "copy", size=len(CONTENT), sha256=sha256(CONTENT))
    assert (tmp_path / "copy").read_bytes() == CONTENT and proxy.sent == len(CONTENT) - kept


def test_a_copy_of_an_object_that_changes_meanwhile_is_refused(
    bucket: StorageURI, proxy: Proxy, tmp_path: Path, pauses: list[float]
) -> None:
    (entry,) = bucket.entries()
    proxy.always = Fault(cut=1 << 19)
    with pytest.raises(UserError, match="cannot be reached"):
        bucket.copy(entry, tmp_path / "copy")
    proxy.always = Fault()
    bucket.write("x", CONTENT[::-1])
    with pytest.raises(UserError, match="has changed since it was listed"):
        bucket.copy(entry, tmp_path / "copy")
    bucket.write("x", CONTENT[: 3 << 20])
    (tmp_path / "copy.partial").write_bytes(bytes(4 << 20))
    with pytest.raises(UserError, match="run again"):
        bucket.download("x", tmp_path / "copy", size=len(CONTENT), sha256=sha256(CONTENT))
    assert not (tmp_path / "copy").exists()


def test_concurrent_downloads_fetch_once(bucket: StorageURI, proxy: Proxy, tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        copy = tmp_path / "copy"
        downloads = [pool.submit(bucket.download, "x", copy, size=len(CONTENT), sha256=sha256(CONTENT)) for _ in range(4)]
    assert [download.result() for download in downloads] == [None] * 4
    assert len(proxy.requests) == 1 and proxy.sent == len(CONTENT)


def test_a_failed_upload_in_parts_leaves_nothing(bucket: StorageURI, proxy: Proxy, tmp_path: Path, pauses: list[float]) -> None:
    proxy.always = Fault(status=503, method="PUT")
    with pytest.raises(UserError, match="failed several times"):
        operations(bucket, tmp_path)["upload in parts"]()
    assert not bucket.exists("big")
    proxy.always = Fault()
    proxy.faults.extend([Fault(status=503, method="PUT"), Fault(lost=True, method="PUT"), Fault(lost=True, method="PUT")])
    operations(bucket, tmp_path)["upload in parts"]()
    assert bucket.read("big") == LARGE and not proxy.faults


def test_an_upload_aborted_by_another_client_is_an_error(bucket: StorageURI, proxy: Proxy, tmp_path: Path) -> None:
    """As lifecycle rules of buckets do with uploads that take too long."""
    proxy.faults.extend([Fault(method="POST"), Fault(status=404, code="NoSuchUpload", method="POST")])
    with pytest.raises(UserError, match=f"{bucket}/big: the server does not hold what was sent to it; run again"):
        operations(bucket, tmp_path)["upload in parts"]()
    assert not bucket.exists("big") and end_uploads() == 0


def test_an_upload_that_cannot_be_aborted_stays_invisible(
    bucket: StorageURI, proxy: Proxy, tmp_path: Path, pauses: list[float]
) -> None:
    proxy.faults.append(Fault())  # the upload is created
    proxy.always = Fault(status=503)
    with pytest.raises(UserError, match="failed several times"):
        operations(bucket, tmp_path)["upload in parts"]()
    proxy.always = Fault()
    assert not bucket.exists("big") and end_uploads() == 1


def test_a_slow_server_is_no_timeout(
    bucket: StorageURI, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    """The read timeout counts from the last byte: a slow transfer may take longer in total."""
    # Seconds that a busy machine does not lose between two pieces.
    monkeypatch.setattr("cluster.storage.s3_client._SILENCE_SECONDS", 4.0)
    proxy.always = Fault(pause=0.06)  # 80 pieces of 64 KiB
    bucket.download("x", tmp_path / "first", size=len(CONTENT), sha256=sha256(CONTENT))
    assert pauses == [] and (tmp_path / "first").read_bytes() == CONTENT
    proxy.always = Fault()
    proxy.faults.append(Fault(pause=8.0))
    bucket.download("x", tmp_path / "second", size=len(CONTENT), sha256=sha256(CONTENT))
    assert len(pauses) == 1, "a timeout is a broken connection, after which the download resumes"
