"""Ingest from a bucket into a bucket gives the same frames as from folders."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import ray

from cluster.datasets.dataset import existing
from cluster.datasets.ingest import ingest
from cluster.datasets.ingest_request import IngestRequest
from cluster.runtime.start import start_ray
from cluster.storage.uri import StorageURI
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.errors import UserError
from tests.cluster.storage.s3_environment import s3_client

pytestmark = [pytest.mark.ray, pytest.mark.s3, pytest.mark.slow]


@pytest.fixture(scope="module")
def bucket(moto: str) -> Iterator[StorageURI]:
    """A bucket on this machine that Ray's workers can reach too."""
    start_ray()  # after the server, since workers inherit this environment
    yield StorageURI("s3://faces")
    ray.shutdown()


def test_a_data_set_in_a_bucket_has_the_same_frames_as_in_a_folder(
    clips: Path, bucket: StorageURI, data_folder: Path, tmp_path: Path
) -> None:
    """A file that is missing in the bucket is reported when the local copy is made."""
    source, data = bucket / "source", bucket / "set"
    for path in (p for p in clips.rglob("*") if p.is_file()):
        source.write(path.relative_to(clips).as_posix(), path.read_bytes())
    request = IngestRequest(config=IngestConfig(size=32))
    made = ingest(source, data, request)
    assert ingest(source, data, request) == made
    here, there = existing(StorageURI(str(data_folder))).open(), made.open()
    assert np.array_equal(here.points, there.points)
    assert all(np.array_equal(here.image(row), there.image(row)) for row in range(len(here.frame)))
    lost = made.manifest().clips[0].file
    s3_client().delete_object(Bucket="faces", Key=f"set/{lost}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEGAN_CACHE", str(tmp_path / "elsewhere"))
        with pytest.raises(UserError, match="is missing although the manifest names it"):
            made.open()
