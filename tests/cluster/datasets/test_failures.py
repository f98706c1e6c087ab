"""A failure in the task of a clip names the clip and its file."""

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
import ray

from cluster.datasets.ingest import _next_step
from cluster.storage.uri import StorageURI
from facegan.data.ingest.sources import ClipSource
from facegan.errors import UserError

CLIP = ClipSource("001", "001", "train", "001/vid.avi", ())


def crash(kind: str):  # type: ignore[no-untyped-def]
    if kind == "user":
        raise UserError("the disk is full")
    if kind == "disk":
        raise OSError(5, "Input/output error")
    if kind == "killed":
        os._exit(1)
    raise AssertionError("a bug")
    yield


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_every_failure_of_a_task_names_the_clip_and_its_file() -> None:
    task = ray.remote(num_returns="streaming", max_retries=0)(crash)
    for kind, said in {"user": "the disk is full", "disk": "Input/output error", "killed": "its process has ended"}.items():
        with pytest.raises(UserError, match=rf"clip 001 \(/faces/001/vid\.avi\): .*{said}"):
            _next_step(task.remote(kind), CLIP, StorageURI("/faces"))
    with pytest.raises(ray.exceptions.RayTaskError) as bug:
        _next_step(task.remote("bug"), CLIP, StorageURI("/faces"))
    assert bug.value.__notes__ == ["in clip 001 (/faces/001/vid.avi)"]


def test_a_full_disk_of_unfinished_work_is_named(source: Path, ingest_job: Callable[..., None], tmp_path: Path) -> None:
    """Apache Arrow does not name the file. A limit on the size of files is hit as the end of a disk is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(UserError, match=rf"^{tmp_path}/cache/scratch: File too large; .* FACEGAN_CACHE$"):
            ingest_job("--source", source, "--data", tmp_path / "data", "--size", 32)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "cache" / "scratch").iterdir()) == []
    ingest_job("--source", source, "--data", tmp_path / "data", "--size", 32)
