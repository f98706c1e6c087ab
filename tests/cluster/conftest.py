"""A local Ray and a mocked S3 server for the tests of a file."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import ray
from ray.cluster_utils import Cluster

from cluster.runtime.start import start_ray
from cluster.storage.uri import StorageURI
from tests.cluster.storage.s3_environment import s3_client, s3_environment
from tests.serving import free_port

pytest.register_assert_rewrite("tests.cluster.storage.contract")


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    """Ray on this machine, started and ended once a file."""
    start_ray()
    yield
    ray.shutdown()


@pytest.fixture
def idle_head() -> Iterator[Cluster]:
    """A head that takes no work, which is all that a cluster has before its first worker; this process has joined it."""
    # Two heads at once, of two test processes, would both want 8265 for a dashboard, and Ray leaks the second one's socket.
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "dashboard_port": free_port()})
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The URL of an S3 server in this process, which the environment names; it has a bucket `faces`."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        with s3_environment(f"http://{host}:{port}"):
            s3_client().create_bucket(Bucket="faces")
            yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, in seconds, that are made between attempts by us and by boto: written down and left out."""
    made = list[float]()
    for user in ("cluster.storage.s3.time", "botocore.endpoint.time"):
        monkeypatch.setattr(user, SimpleNamespace(sleep=made.append))
    return made


@pytest.fixture
def folder(tmp_path: Path) -> StorageURI:
    """A place that is not there yet."""
    return StorageURI(str(tmp_path / "place"))


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """An empty folder."""
    (tmp_path / "here").mkdir()
    return tmp_path / "here"
