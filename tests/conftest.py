"""Shared fixtures: a tiny set of synthetic clips and the data set made of it. Everything is rendered; no real face is used."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from facegan.config import Config
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.sources import clips_in
from facegan.data.reading.face_data import FaceData, open_data
from facegan.data.reading.local_copy import ingest_folder
from facegan.synthetic.clips import write_synthetic

# Ray reads it when it is imported, which some test files do before the package `cluster`.
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
# Where it is set, each of the hundreds of processes that tests start would compile the whole project.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Threads of so small networks wait for each other, which takes most of the CPU time where other processes run beside them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

TINY = {
    "data.size": 32,
    "model.maps": "parts",
    "model.head": "mask",
    "model.generator_width": 4,
    "model.discriminator_width": 4,
    "vgg.weights": "random",
    "vgg.width": 4,
    "optim.generator_lr": 1e-3,
    "optim.discriminator_lr": 1e-3,
    "optim.batch": 4,
    "images": 32,
    "report_every": 8,
    "checkpoint_every": 16,
    # What auto is depends on the machine.
    "optim.precision": "fp32",
}


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Local copies of data sets lie in a folder of these tests, also those of the jobs that they start."""
    before = os.environ.get("FACEGAN_CACHE")
    os.environ["FACEGAN_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield Path(os.environ["FACEGAN_CACHE"])
    if before is None:
        del os.environ["FACEGAN_CACHE"]
    else:
        os.environ["FACEGAN_CACHE"] = before


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Small tensors: threads cost more than they bring, and sums keep one order."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the 300VW layout: five synthetic people to train on and two to evaluate on."""
    root = tmp_path_factory.mktemp("clips")
    write_synthetic(root, people=5, test_people=2, frames=6, size=96, seed=1, workers=1)
    return root


@pytest.fixture(scope="session")
def data_folder(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set of `clips`, 32 pixels."""
    folder = tmp_path_factory.mktemp("data")
    ingest_folder(clips_in(clips), clips, folder, IngestConfig(size=32), synthetic=True)
    return folder


@pytest.fixture(scope="session")
def data(data_folder: Path) -> FaceData:
    """The data set, opened."""
    return open_data(data_folder)


@pytest.fixture(scope="session")
def tiny() -> Config:
    """A configuration that trains in a second."""
    return Config().override(TINY)
