"""A data set of people whose faces dlib finds."""

import pytest

from facegan.data.reading.face_data import FaceData, open_data
from tests.found_faces import write_found_faces


@pytest.fixture(scope="session")
def found_faces(tmp_path_factory: pytest.TempPathFactory) -> FaceData:
    """The data set of `write_found_faces`, opened."""
    return open_data(write_found_faces(tmp_path_factory.mktemp("found_faces")))
