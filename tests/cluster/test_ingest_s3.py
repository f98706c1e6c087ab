"""Ingest from a bucket into a bucket, read by way of this node's copy, with the same frames as from folders."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import numpy as np
import pytest
import ray

from cluster.dataset import existing
from cluster.ingest import IngestRequest, ingest
from cluster.runtime import start_ray
from cluster.storage import Place
from facegan.config import UserError
from facegan.data.shards import IngestConfig

pytestmark = [pytest.mark.ray, pytest.mark.s3, pytest.mark.slow]


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An S3 server on this machine, with a bucket."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    told = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in told.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="faces")
        start_ray()  # only now, for Ray's workers have the environment that it was started in
        yield Place("s3://faces")
        ray.shutdown()
    server.stop()


def test_from_a_bucket_into_a_bucket(clips: Path, bucket: Place, data_folder: Path, tmp_path: Path) -> None:
    """Source, data set and this node's copy by way of S3, with the same frames as from folders."""
    source, data = bucket / "source", bucket / "set"
    for path in (p for p in clips.rglob("*") if p.is_file()):
        source.write(path.relative_to(clips).as_posix(), path.read_bytes())
    request = IngestRequest(config=IngestConfig(size=32))
    made = ingest(source, data, request)
    assert ingest(source, data, request) == made
    here, there = existing(Place(str(data_folder))).open(), made.open()
    assert np.array_equal(here.points, there.points)
    assert all(np.array_equal(here.image(row), there.image(row)) for row in range(len(here.frame)))
    lost = made.manifest()["clips"][0]["file"]
    boto3.client("s3").delete_object(Bucket="faces", Key=f"set/{lost}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEGAN_CACHE", str(tmp_path / "elsewhere"))
        with pytest.raises(UserError, match="is missing although the manifest names it"):
            made.open()
