"""The data set of these tests: people whose faces dlib finds, in place of the data set that other tests share."""

from pathlib import Path

import pytest

from facegan.data.reading.face_data import FaceData, open_data
from tests.found_faces import write_found_faces


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the data set."""
    return write_found_faces(tmp_path_factory.mktemp("found_faces"))


@pytest.fixture(scope="session")
def data(data_folder: Path) -> FaceData:
    """The data set, opened."""
    return open_data(data_folder)
