"""Ingest in this process: the same tasks, without the seconds that Ray takes to start."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.datasets import ingest as ingest_module
from cluster.datasets.ingest_request import IngestRequest
from cluster.datasets.ingest_task import ingest_clip
from cluster.storage.uri import StorageURI
from facegan.data.ingest.clip_record import ClipRecord
from facegan.data.ingest.sources import ClipSource
from jobs import ingest as job


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clips are ingested one after the other, in this process."""

    def run(clips: list[ClipSource], source: StorageURI, data: StorageURI, request: IngestRequest) -> list[ClipRecord]:
        steps = (s for clip in clips for s in ingest_clip(clip, source, data, request.config, request.landmark_weights))
        return [step for step in steps if isinstance(step, ClipRecord)]

    monkeypatch.setattr(ingest_module, "_run_tasks", run)


@pytest.fixture
def ingest_job(without_ray: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Run jobs/ingest.py with some arguments, with a cache of its own. A mistake is raised as UserError."""
    from cluster.cli.command_line import parse

    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    return lambda *arguments: job.main(parse(job.Ingest, "", [str(argument) for argument in arguments]))


@pytest.fixture
def source(clips: Path, tmp_path: Path) -> Path:
    """Two clips to train on and one to test on, in a folder whose name a shell would split."""
    folder = tmp_path / "two and one"
    for clip in ("1001", "1002", "5001"):
        shutil.copytree(clips / clip, folder / clip)
    (folder / "split.json").write_text('{"train": ["1001", "1002"], "test": ["5001"]}')
    return folder


@pytest.fixture
def data(ingest_job: Callable[..., None], source: Path, tmp_path: Path) -> Path:
    """A data set of these clips, at 32 pixels, which is not the default."""
    ingest_job("--source", source, "--data", tmp_path / "data", "--size", 32)
    return tmp_path / "data"
