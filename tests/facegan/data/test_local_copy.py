"""The local copy of a data set: made once, checked against the manifest."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from facegan.data.face_data import open_data
from facegan.data.ingest_config import IngestConfig
from facegan.data.local_copy import checked_file, ingest_folder, local_copy, read_newest
from facegan.data.manifest import ManifestClip
from facegan.data.sources import clips_in
from facegan.errors import UserError


@pytest.mark.parametrize("damage", ["schema", "json", "changed", "missing", "outside"])
def test_a_changed_or_damaged_data_set_is_refused(data_folder: Path, tmp_path: Path, damage: str) -> None:
    folder = shutil.copytree(data_folder, tmp_path / "copy")
    path = folder / "manifest-000001.json"
    # Another list of reasons makes it another data set, of which this machine has no copy yet.
    manifest = json.loads(path.read_text()) | {"reasons": {"none": 0}}
    file = folder / manifest["clips"][0]["file"]
    if damage == "schema":
        manifest["schema_version"] = 99
    elif damage == "changed":
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    elif damage == "missing":
        file.unlink()
    elif damage == "outside":
        manifest["clips"][0]["file"] = "clips/../../secret.parquet"
    path.write_text("{" if damage == "json" else json.dumps(manifest))
    said = {
        "schema": "made with schema 99",
        "json": "damaged",
        "changed": "sha256 differs",
        "missing": "is missing",
        "outside": r"file is .*secret.parquet': clips/<name>.parquet",
    }
    with pytest.raises(UserError, match=said[damage]):
        open_data(folder)


def test_the_local_copy_is_made_once_and_shared(clips: Path, tmp_path: Path) -> None:
    ingest_folder(clips_in(clips), clips, tmp_path / "set", IngestConfig(size=48), synthetic=True)
    manifest, fetched = read_newest(tmp_path / "set"), []

    def fetch(clip: ManifestClip, _: Path) -> Path:
        fetched.append(clip.clip)
        return checked_file(tmp_path / "set", clip)

    with ThreadPoolExecutor(4) as pool:
        copies = set(pool.map(lambda _: local_copy(manifest, tmp_path / "cache", fetch), range(4)))
    assert len(copies) == 1
    assert sorted(fetched) == [c.clip for c in manifest.clips]
    (copy,) = copies
    # A copy that was cut is noticed by its size, and made again.
    whole = (copy / "images.bin").read_bytes()
    (copy / "images.bin").write_bytes(whole[:-1])
    assert local_copy(manifest, tmp_path / "cache", fetch) == copy
    assert (copy / "images.bin").read_bytes() == whole
    assert len(whole) == sum(c.image_bytes for c in manifest.clips)
