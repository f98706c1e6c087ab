"""One version of a data set on storage."""

from pathlib import Path

import pytest

from cluster.datasets.dataset import existing
from cluster.storage.uri import StorageURI
from facegan.errors import UserError


def test_a_data_set_that_has_moved_is_named_and_its_cure_works(data_folder: Path, tmp_path: Path) -> None:
    planned = existing(StorageURI(str(data_folder)))
    here, away = tmp_path / "data", tmp_path / "away"
    away.symlink_to(data_folder)
    moved = type(planned)(str(here), planned.version, planned.sha256)
    with pytest.raises(UserError, match=r"--data is '.*/data': manifest-.* is missing; put the data set back"):
        moved.manifest()
    away.rename(here)
    assert moved.manifest() == planned.manifest()
