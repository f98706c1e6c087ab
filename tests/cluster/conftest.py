"""Fixtures: a local Ray, a mock S3 server, storage in a folder."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import ray
from ray.cluster_utils import Cluster

from cluster.runtime.start import start_ray
from cluster.storage.uri import StorageURI
from tests.cluster.storage.s3_environment import s3_client, s3_environment
from tests.serving import free_port, mocked_aws

pytest.register_assert_rewrite("tests.cluster.storage.contract", "tests.cluster.doctor.failing")


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    """Ray on this machine, started and ended once per test file."""
    start_ray()
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def one_cpu() -> Iterator[None]:
    """The same with one CPU: trials run one after the other in one worker, which imports torch once."""
    start_ray(1)
    yield
    ray.shutdown()


@pytest.fixture
def idle_head() -> Iterator[Cluster]:
    """A cluster whose head has no CPUs for tasks; this process is connected to it. Tests add worker nodes."""
    # Heads of two test processes would both use the dashboard port 8265, and Ray leaks the second one's socket.
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "dashboard_port": free_port()})
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """The URL of a mock S3 server in this process, with a bucket `faces`. The environment names the server."""
    with mocked_aws() as url, s3_environment(url):
        s3_client().create_bucket(Bucket="faces")
        yield url


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Skip the pauses between attempts of this project and of boto3, and record them in seconds."""
    made = list[float]()
    for user in ("cluster.storage.s3.time", "botocore.endpoint.time"):
        monkeypatch.setattr(user, SimpleNamespace(sleep=made.append))
    return made


@pytest.fixture
def folder(tmp_path: Path) -> StorageURI:
    """Storage in a folder that does not exist yet."""
    return StorageURI(str(tmp_path / "storage"))


@pytest.fixture
def local_folder(tmp_path: Path) -> Path:
    """An empty folder for local files."""
    (tmp_path / "local").mkdir()
    return tmp_path / "local"
