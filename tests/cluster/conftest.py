"""A local Ray for the tests of a file."""

from collections.abc import Iterator

import pytest
import ray

from cluster.runtime import start_ray


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    """Ray on this machine, started and ended once a file."""
    start_ray()
    yield
    ray.shutdown()
