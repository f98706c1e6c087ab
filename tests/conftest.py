"""Shared fixtures: a tiny set of synthetic clips and the data set made of it. Everything is rendered; no real face is used."""

from pathlib import Path

import pytest
import torch

from facegan.config import Config
from facegan.data.shards import IngestConfig, write_clip, write_manifest
from facegan.data.synthetic import write_synthetic
from facegan.data.triplets import FaceData
from facegan.data.vw300 import find_clips, fingerprint

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
}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Small tensors: threads cost more than they bring, and sums keep one order."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in the 300VW layout: five synthetic people to train on and two to judge on."""
    root = tmp_path_factory.mktemp("clips")
    write_synthetic(root, people=5, test_people=2, frames=6, size=96, seed=1, workers=1)
    return root


@pytest.fixture(scope="session")
def data_folder(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set of `clips`, 32 pixels."""
    folder = tmp_path_factory.mktemp("data")
    how = IngestConfig(size=32)
    records = [write_clip(clip, folder, how) for clip in find_clips(clips)]
    write_manifest(folder, records, how, synthetic=True, source=str(clips), fingerprint=fingerprint(find_clips(clips)))
    return folder


@pytest.fixture(scope="session")
def data(data_folder: Path) -> FaceData:
    """The data set in memory."""
    return FaceData(data_folder)


@pytest.fixture(scope="session")
def tiny() -> Config:
    """A configuration that trains in a second."""
    return Config().override(TINY)
