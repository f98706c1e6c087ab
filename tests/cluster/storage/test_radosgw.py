"""Buckets as places on a real S3 server, Ceph's radosgw: what a mock is too kind for, and a server that dies at work."""

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
from cluster.datasets.ingest import IngestRequest, ingest
from cluster.runtime.start import start_ray
from cluster.storage import s3_client as s3_client_module
from cluster.storage.objects import AlreadyThere
from cluster.storage.uri import StorageURI
from facegan.data.ingest_config import IngestConfig
from tests.cluster.storage.contract import BIG, CASES, a_stale_tag_replaces_nothing, said_by, sha256
from tests.cluster.storage.proxy import Fault, Proxy, proxy_to
from tests.cluster.storage.radosgw import ACCESS_KEY, SECRET_KEY, Radosgw, missing, radosgw
from tests.cluster.storage.s3_environment import end_uploads, s3_client, s3_environment

pytestmark = [pytest.mark.s3, pytest.mark.integration]


@pytest.fixture(scope="module")
def server() -> Iterator[Radosgw]:
    """The server, which the environment names; it has a bucket `faces`."""
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
    """A network that does as it is told, on the way to the server."""
    with proxy_to(server.endpoint) as between:
        monkeypatch.setenv("AWS_ENDPOINT_URL", between.url)
        yield between


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_contract(case: Callable[[StorageURI, Path], None], bucket: StorageURI, tmp_path: Path) -> None:
    case(bucket, tmp_path)


def test_wrong_keys(bucket: StorageURI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    for use in (bucket.check, lambda: bucket.read("x"), lambda: bucket.write("x", b"")):
        assert said_by(use).endswith(
            "the secret key is wrong (SignatureDoesNotMatch); set the AWS_SECRET_ACCESS_KEY of this AWS_ACCESS_KEY_ID"
        )
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    assert "the server does not know the access key (InvalidAccessKeyId)" in said_by(bucket.check)


def test_a_bucket_of_somebody_else(server: Radosgw, bucket: StorageURI, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ("--access-key", "other", "--secret-key", "other")
    server.ask("radosgw-admin", "user", "create", "--uid", "other", "--display-name", "other", *keys)
    bucket.write("x", b"")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "other")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
    for use in (bucket.check, lambda: bucket.read("x"), lambda: bucket.write("x", b"")):
        assert "access denied to" in said_by(use)
    assert "there is no such bucket" in said_by(StorageURI("s3://elsewhere/x").check)


def test_damaged_content_is_refused(
    bucket: StorageURI, tmp_path: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Content-MD5 that does not fit stands for bytes that were damaged after it was taken."""
    wrong = s3_client_module.content_md5(b"other content")
    monkeypatch.setattr(s3_client_module, "content_md5", lambda body: wrong)
    (tmp_path / "small").write_bytes(b"small")
    (tmp_path / "big").write_bytes(BIG)
    for use in (
        lambda: bucket.write("x", b"content"),
        lambda: bucket.write("x", b"content", only_if_absent=True),
        lambda: bucket.upload("x", tmp_path / "small", sha256=sha256(b"small")),
        lambda: bucket.upload("x", tmp_path / "big", sha256=sha256(BIG)),
        lambda: bucket.replace("x", tmp_path / "big", ""),
    ):
        assert "the bytes arrived damaged (BadDigest)" in said_by(use)
    assert bucket.entries() == []


def test_a_name_that_is_too_long(bucket: StorageURI) -> None:
    assert "no object can be called so (" in said_by(lambda: bucket.write("k" * 1025, b""))


def test_an_upload_that_somebody_aborts_is_an_error(bucket: StorageURI, tmp_path: Path, pauses: list[float]) -> None:
    """As lifecycle rules of buckets do with uploads that take long."""
    aborted = list[int]()
    events, before_completion = s3_client_module.client().meta.events, "before-call.s3.CompleteMultipartUpload"

    def abort(**_: object) -> None:
        aborted.append(end_uploads())

    (tmp_path / "big").write_bytes(BIG)
    events.register(before_completion, abort)
    try:
        said = said_by(lambda: bucket.upload("x", tmp_path / "big", sha256=sha256(BIG)))
    finally:
        events.unregister(before_completion, abort)
    assert aborted == [1]
    assert said.startswith(f"{bucket}/x: the server ") and "again" in said and not bucket.exists("x")


def test_a_completion_whose_answer_is_lost(bucket: StorageURI, proxy: Proxy, tmp_path: Path, pauses: list[float]) -> None:
    """The second attempt meets an upload that has ended, which the server calls an error."""
    proxy.faults.extend([Fault(method="POST"), Fault(lost=True, method="POST")])
    (tmp_path / "big").write_bytes(BIG)
    bucket.upload("x", tmp_path / "big", sha256=sha256(BIG))
    assert bucket.read("x") == BIG and not proxy.faults


def test_of_two_writers_one_wins_every_time(bucket: StorageURI) -> None:
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


def test_the_server_dies_while_parts_are_sent(
    server: Radosgw, bucket: StorageURI, proxy: Proxy, tmp_path: Path, pauses: list[float]
) -> None:
    content = BIG * 8  # 9 parts
    (tmp_path / "big").write_bytes(content)
    proxy.always = Fault(pause=0.2)

    def parts() -> int:
        return sum("partNumber" in request for request in proxy.requests)

    with ThreadPoolExecutor(1) as pool:
        uploads = pool.submit(lambda: said_by(lambda: bucket.upload("big", tmp_path / "big", sha256=sha256(content))))
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


def test_the_server_dies_while_a_download_runs(
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
            assert "cannot be reached" in said_by(first.result)
        finally:
            server.start()
    kept = (tmp_path / "copy.partial").stat().st_size
    assert 3 << 20 < kept < len(content) and not (tmp_path / "copy").exists()
    proxy.sent = 0
    download()
    assert (tmp_path / "copy").read_bytes() == content and proxy.sent == len(content) - kept


def test_the_server_comes_back_while_it_is_waited_for(server: Radosgw, bucket: StorageURI) -> None:
    """With the pauses as they are: a server that is started anew is not even noticed."""
    server.kill()
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(bucket.write, "x", b"content")
        threading.Event().wait(0.3)  # it has met nobody by now
        server.start()
        written.result()
    assert bucket.read("x") == b"content"


def test_a_slow_server(bucket: StorageURI, proxy: Proxy, tmp_path: Path, pauses: list[float]) -> None:
    proxy.always = Fault(pause=0.02)
    (tmp_path / "big").write_bytes(BIG)
    bucket.upload("big", tmp_path / "big", sha256=sha256(BIG))
    bucket.download("big", tmp_path / "copy", size=len(BIG), sha256=sha256(BIG))
    assert (tmp_path / "copy").read_bytes() == BIG and pauses == []


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


def test_a_stale_tag_replaces_nothing(bucket: StorageURI, tmp_path: Path) -> None:
    a_stale_tag_replaces_nothing(bucket, tmp_path)
