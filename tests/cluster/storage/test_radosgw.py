"""Buckets on a real S3 server, Ceph's radosgw: strict checks that a mock does not make, and a server that is killed."""

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import ray

from cluster.datasets.dataset import existing
from cluster.datasets.ingest import ingest
from cluster.datasets.ingest_request import IngestRequest
from cluster.runtime.start import start_ray
from cluster.storage import s3_client as s3_client_module
from cluster.storage.objects import AlreadyThere
from cluster.storage.uri import StorageURI
from facegan.data.ingest.ingest_config import IngestConfig
from tests.cluster.storage.contract import CASES, LARGE, a_stale_tag_replaces_nothing, error_of, sha256
from tests.cluster.storage.proxy import Fault, Proxy, proxy_to
from tests.cluster.storage.radosgw import ACCESS_KEY, SECRET_KEY, Radosgw, missing, radosgw
from tests.cluster.storage.s3_environment import end_uploads, s3_client, s3_environment

pytestmark = [pytest.mark.s3, pytest.mark.integration]


@pytest.fixture(scope="module")
def server() -> Iterator[Radosgw]:
    """The server that the environment names, with a bucket `faces`."""
    if missing():
        absent = f"not installed: {', '.join(missing())} (Debian: radosgw ceph-mon ceph-osd ceph-mgr ceph-common)"
        pytest.fail(absent) if os.environ.get("CI") == "true" else pytest.skip(absent)
    folder = Path(tempfile.mkdtemp(prefix="rgw"))
    pids = list[int]()
    try:
        with radosgw(folder) as running, s3_environment(running.endpoint, ACCESS_KEY, SECRET_KEY):
            s3_client().create_bucket(Bucket="faces")
            yield running
            pids = [process.pid for process in running.processes.values()]
            assert len(pids) == 4
    finally:
        shutil.rmtree(folder)
        left = subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, text=True, check=False).stdout.split()
        assert left == [] and not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.fixture
def bucket(server: Radosgw, request: pytest.FixtureRequest) -> Iterator[StorageURI]:
    """A prefix that no other test uses."""
    yield StorageURI("s3://faces/" + "".join(c if c.isalnum() else "-" for c in request.node.name))
    assert s3_client().list_multipart_uploads(Bucket="faces").get("Uploads", []) == []


@pytest.fixture
def proxy(server: Radosgw, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy with faults in front of the server."""
    with proxy_to(server.endpoint) as between:
        monkeypatch.setenv("AWS_ENDPOINT_URL", between.url)
        yield between


@pytest.mark.parametrize("case", [*CASES, a_stale_tag_replaces_nothing], ids=lambda case: case.__name__)
def test_contract(case: Callable[[StorageURI, Path], None], bucket: StorageURI, tmp_path: Path) -> None:
    case(bucket, tmp_path)


def test_wrong_credentials_are_user_errors(bucket: StorageURI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    for use in (bucket.check, lambda: bucket.read("x"), lambda: bucket.write("x", b"")):
        assert error_of(use).endswith(
            "the secret key is wrong (SignatureDoesNotMatch); set the AWS_SECRET_ACCESS_KEY of this AWS_ACCESS_KEY_ID"
        )
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    assert "the server does not know the access key (InvalidAccessKeyId)" in error_of(bucket.check)


def test_access_to_the_bucket_of_another_user_is_denied(
    server: Radosgw, bucket: StorageURI, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = ("--access-key", "other", "--secret-key", "other")
    server.ask("radosgw-admin", "user", "create", "--uid", "other", "--display-name", "other", *keys)
    bucket.write("x", b"")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "other")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
    for use in (bucket.check, lambda: bucket.read("x"), lambda: bucket.write("x", b"")):
        assert "access denied to" in error_of(use)
    assert "there is no such bucket" in error_of(StorageURI("s3://elsewhere/x").check)


def test_damaged_content_is_refused(
    bucket: StorageURI, tmp_path: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong Content-MD5 simulates bytes that were damaged on the way."""
    wrong = s3_client_module.content_md5(b"other content")
    monkeypatch.setattr(s3_client_module, "content_md5", lambda body: wrong)
    (tmp_path / "small").write_bytes(b"small")
    (tmp_path / "big").write_bytes(LARGE)
    for use in (
        lambda: bucket.write("x", b"content"),
        lambda: bucket.write("x", b"content", only_if_absent=True),
        lambda: bucket.upload("x", tmp_path / "small", sha256=sha256(b"small")),
        lambda: bucket.upload("x", tmp_path / "big", sha256=sha256(LARGE)),
        lambda: bucket.replace("x", tmp_path / "big", ""),
    ):
        assert "the bytes arrived damaged (BadDigest)" in error_of(use)
    assert bucket.entries() == []


def test_a_key_that_is_too_long_is_refused(bucket: StorageURI) -> None:
    assert "this is not a valid name for an object (" in error_of(lambda: bucket.write("k" * 1025, b""))


def test_an_upload_aborted_by_another_client_is_an_error(bucket: StorageURI, tmp_path: Path, pauses: list[float]) -> None:
    """As lifecycle rules of buckets do with uploads that take too long."""
    aborted = list[int]()
    events, before_completion = s3_client_module.client().meta.events, "before-call.s3.CompleteMultipartUpload"

    def abort(**_: object) -> None:
        aborted.append(end_uploads())

    (tmp_path / "big").write_bytes(LARGE)
    events.register(before_completion, abort)
    try:
        message = error_of(lambda: bucket.upload("x", tmp_path / "big", sha256=sha256(LARGE)))
    finally:
        events.unregister(before_completion, abort)
    assert aborted == [1]
    assert message.startswith(f"{bucket}/x: the server ") and "again" in message and not bucket.exists("x")


def test_an_upload_whose_completion_answer_is_lost_succeeds(
    bucket: StorageURI, proxy: Proxy, tmp_path: Path, pauses: list[float]
) -> None:
    """The second attempt to complete is an error, because the upload has ended."""
    proxy.faults.extend([Fault(method="POST"), Fault(lost=True, method="POST")])
    (tmp_path / "big").write_bytes(LARGE)
    bucket.upload("x", tmp_path / "big", sha256=sha256(LARGE))
    assert bucket.read("x") == LARGE and not proxy.faults


def test_one_of_two_writers_wins_every_time(bucket: StorageURI) -> None:
    for number in range(12):
        begin = threading.Barrier(2)

        def claim(writer: bytes, key: str = f"claim/{number}", begin: threading.Barrier = begin) -> bool:
            begin.wait(20)
            try:
                bucket.write(key, writer, only_if_absent=True)
            except AlreadyThere:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            won = list(pool.map(claim, [b"first", b"second"]))
        assert sum(won) == 1
        assert bucket.read(f"claim/{number}") == (b"first" if won[0] else b"second")


def test_an_upload_can_be_repeated_after_the_server_was_killed(
    server: Radosgw, bucket: StorageURI, proxy: Proxy, tmp_path: Path, pauses: list[float]
) -> None:
    content = LARGE * 8  # 9 parts
    (tmp_path / "big").write_bytes(content)
    proxy.always = Fault(pause=0.2)

    def parts() -> int:
        return sum("partNumber" in request for request in proxy.requests)

    with ThreadPoolExecutor(1) as pool:
        uploads = pool.submit(lambda: error_of(lambda: bucket.upload("big", tmp_path / "big", sha256=sha256(content))))
        while parts() < 3 and not uploads.done():
            threading.Event().wait(0.005)
        server.kill()
        try:
            assert "cannot be reached" in uploads.result()
        finally:
            server.start()
    proxy.always = Fault()
    assert bucket.entries() == [] and not bucket.exists("big")
    with pytest.raises(FileNotFoundError):
        bucket.read("big")
    bucket.upload("big", tmp_path / "big", sha256=sha256(content))
    assert bucket.read("big") == content
    assert end_uploads() == 1, "the upload that could not be aborted"


def test_a_download_is_resumed_after_the_server_was_killed(
    server: Radosgw, bucket: StorageURI, proxy: Proxy, tmp_path: Path, pauses: list[float]
) -> None:
    content = os.urandom(24 << 20)
    bucket.write("x", content)
    proxy.always = Fault(pause=0.01)

    def download() -> None:
        bucket.download("x", tmp_path / "copy", size=len(content), sha256=sha256(content))

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(download)
        while proxy.sent < 4 << 20 and not first.done():
            threading.Event().wait(0.005)
        server.kill()
        try:
            assert "cannot be reached" in error_of(first.result)
        finally:
            server.start()
    kept = (tmp_path / "copy.partial").stat().st_size
    assert 3 << 20 < kept < len(content) and not (tmp_path / "copy").exists()
    proxy.sent = 0
    download()
    assert (tmp_path / "copy").read_bytes() == content and proxy.sent == len(content) - kept


def test_a_restart_of_the_server_is_bridged_by_retries(server: Radosgw, bucket: StorageURI) -> None:
    """With real pauses between the attempts."""
    server.kill()
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(bucket.write, "x", b"content")
        threading.Event().wait(0.3)  # by now it has failed to connect
        server.start()
        written.result()
    assert bucket.read("x") == b"content"


def test_a_slow_server_needs_no_retries(bucket: StorageURI, proxy: Proxy, tmp_path: Path, pauses: list[float]) -> None:
    proxy.always = Fault(pause=0.02)
    (tmp_path / "big").write_bytes(LARGE)
    bucket.upload("big", tmp_path / "big", sha256=sha256(LARGE))
    bucket.download("big", tmp_path / "copy", size=len(LARGE), sha256=sha256(LARGE))
    assert (tmp_path / "copy").read_bytes() == LARGE and pauses == []


@pytest.mark.ray
@pytest.mark.slow
def test_ingest_from_a_bucket_into_a_bucket(clips: Path, bucket: StorageURI, data_folder: Path) -> None:
    """End to end, with the same frames as from folders."""
    start_ray()
    try:
        for path in (p for p in clips.rglob("*") if p.is_file()):
            (bucket / "source").write(path.relative_to(clips).as_posix(), path.read_bytes())
        made = ingest(bucket / "source", bucket / "set", IngestRequest(config=IngestConfig(size=32)))
        here, there = existing(StorageURI(str(data_folder))).open(), made.open()
        assert np.array_equal(here.points, there.points) and len(here.frame) > 0
        assert all(np.array_equal(here.image(row), there.image(row)) for row in range(len(here.frame)))
    finally:
        ray.shutdown()
