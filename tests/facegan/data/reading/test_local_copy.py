"""The local copy of a data set: made once, checked against the manifest."""

import hashlib
import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.sources import clips_in
from facegan.data.reading.clip_files import checked_file
from facegan.data.reading.face_data import open_data
from facegan.data.reading.local_copy import find_copy, ingest_folder, local_copy, read_newest
from facegan.data.versions.clip_table import ManifestClip
from facegan.data.versions.manifest import manifest_hash
from facegan.data.versions.table_file import table_file, to_parquet
from facegan.errors import UserError


def change_first_clip(folder: Path, **changed: Any) -> None:
    """Write the clip table and the manifest of a data set anew, with other values for the first clip."""
    manifest = json.loads((folder / "manifest-000001.json").read_text())
    table = pq.read_table(folder / manifest["clips"]["file"])
    first, *others = table.to_pylist()
    content = to_parquet(pa.Table.from_pylist([first | changed, *others], table.schema))
    named = table_file("clips", content, len(table))
    (folder / named.file).write_bytes(content)
    (folder / "manifest-000001.json").write_text(json.dumps(manifest | {"clips": asdict(named)}))


@pytest.mark.parametrize("damage", ["schema", "json", "changed", "missing", "outside"])
def test_a_changed_or_damaged_data_set_is_refused(data_folder: Path, tmp_path: Path, damage: str) -> None:
    folder = shutil.copytree(data_folder, tmp_path / "copy")
    path = folder / "manifest-000001.json"
    # Another list of reasons makes it another data set, of which this machine has no copy yet.
    manifest = json.loads(path.read_text()) | {"reasons": {"none": 0}}
    path.write_text(json.dumps(manifest))
    clip = read_newest(folder).clips[0]
    file = folder / clip.file
    if damage == "schema":
        path.write_text(json.dumps(manifest | {"schema_version": 99}))
    elif damage == "changed":
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    elif damage == "missing":
        file.unlink()
    elif damage == "outside":
        change_first_clip(folder, key="../../secret-0123456789ab")
    elif damage == "json":
        path.write_text("{")
    said = {
        "schema": "made with schema 99",
        "json": "damaged",
        "changed": "sha256 differs",
        "missing": "is missing",
        "outside": r"key is '../../secret-0123456789ab': <clip>-",
    }
    with pytest.raises(UserError, match=said[damage]):
        open_data(folder)


def test_the_local_copy_is_made_once_and_shared(clips: Path, tmp_path: Path) -> None:
    ingest_folder(clips_in(clips), clips, tmp_path / "set", IngestConfig(size=48), synthetic=True)
    manifest, fetched = read_newest(tmp_path / "set"), []

    def fetch(clip: ManifestClip, _: Path) -> Path:
        fetched.append(clip.clip)
        return checked_file(tmp_path / "set", clip, "")

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


def test_files_are_fetched_side_by_side_and_keep_their_order(clips: Path, tmp_path: Path) -> None:
    """The first clip ends only after the last one has begun; the copy is that of fetching one after the other."""
    ingest_folder(clips_in(clips), clips, tmp_path / "set", IngestConfig(size=48), synthetic=True)
    manifest, last_began = read_newest(tmp_path / "set"), threading.Event()
    names = [clip.clip for clip in manifest.clips]

    def fetch(clip: ManifestClip, _: Path) -> Path:
        if clip.clip == names[0]:
            assert last_began.wait(60), "clips are fetched one after the other"
        if clip.clip == names[-1]:
            last_began.set()
        return checked_file(tmp_path / "set", clip, "")

    copy = local_copy(manifest, tmp_path / "cache", fetch)
    plain = local_copy(manifest, tmp_path / "other", lambda clip, _: checked_file(tmp_path / "set", clip, ""))
    assert len(names) > 2
    for file in ("images.bin", "offsets.npy", "points.npy"):
        assert (copy / file).read_bytes() == (plain / file).read_bytes()


def test_a_file_that_cannot_be_fetched_ends_the_copy(clips: Path, tmp_path: Path) -> None:
    ingest_folder(clips_in(clips), clips, tmp_path / "set", IngestConfig(size=48), synthetic=True)
    manifest = read_newest(tmp_path / "set")

    def fetch(clip: ManifestClip, _: Path) -> Path:
        if clip == manifest.clips[1]:
            raise UserError("it is missing")
        return checked_file(tmp_path / "set", clip, "")

    with pytest.raises(UserError, match="it is missing"):
        local_copy(manifest, tmp_path / "cache", fetch)
    assert find_copy(manifest_hash(manifest), tmp_path / "cache") is None


def test_a_full_disk_is_one_line_with_the_place_and_the_cure(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/dev/full answers as a disk without space does."""
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path))
    opened = Path.open

    def on_full_disk(path: Path, *how: Any, **options: Any) -> Any:
        return opened(Path("/dev/full") if path.name == "images.bin" else path, *how, **options)

    monkeypatch.setattr(Path, "open", on_full_disk)
    with pytest.raises(
        UserError, match=rf"^{tmp_path}/data/.*: No space left on device, while 0 MB .* FACEGAN_CACHE, .* FACEGAN_CACHE_GB$"
    ):
        open_data(data_folder)
    assert [path.suffix for path in (tmp_path / "data").iterdir()] == [".lock"]
    monkeypatch.setattr(Path, "open", opened)
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "another disk"))
    assert len(open_data(data_folder).frame) == 42


@pytest.mark.parametrize("name", ["offsets.npy", "points.npy", "frames.npy", "boxes.npy"])
@pytest.mark.parametrize("left", [0, 60, 200])
def test_a_copy_of_which_a_file_was_cut_is_made_again(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, left: int
) -> None:
    """As after a power cut, which leaves files empty that were not written to the disk yet."""
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path))
    whole = np.array(open_data(data_folder).points)
    (path,) = (tmp_path / "data").glob(f"*/{name}")
    content = path.read_bytes()
    path.write_bytes(content[:left])
    assert np.array_equal(open_data(data_folder).points, whole)
    assert path.read_bytes() == content


def test_images_that_were_overwritten_are_named_and_the_cure_works(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy is checked when it is made; reading all of it at each start would take as long as copying it."""
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path))
    whole = open_data(data_folder).image(0).copy()
    (path,) = (tmp_path / "data").glob("*/images.bin")
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(UserError, match=rf"an image in {tmp_path}/data is damaged .*: remove that folder"):
        open_data(data_folder).image(0)
    shutil.rmtree(tmp_path / "data")
    assert (open_data(data_folder).image(0) == whole).all()


@pytest.mark.parametrize(("place", "why"), [("a file/here", "Not a directory"), ("/proc/nowhere", "No such file or directory")])
def test_a_cache_that_cannot_be_written_is_named(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, why: str
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / place))
    with pytest.raises(UserError, match=rf"{place}/data/.*: {why}, while .* the environment variable FACEGAN_CACHE"):
        open_data(data_folder)


@pytest.mark.parametrize("content", [b"no Parquet file", b""])
def test_a_file_of_another_program_is_named(data_folder: Path, tmp_path: Path, content: bytes) -> None:
    folder = shutil.copytree(data_folder, tmp_path / "copy")
    manifest = read_newest(folder)
    clip = manifest.clips[0]
    (folder / clip.file).write_bytes(content)
    change_first_clip(folder, sha256=hashlib.sha256(content).hexdigest(), file_bytes=max(len(content), 1))
    with pytest.raises(UserError, match=f"clip {clip.clip}: {clip.file} is no Parquet file; it was written by another"):
        open_data(folder)


def test_a_file_that_cannot_be_read_is_named(data_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(data_folder, tmp_path / "copy")
    manifest = json.loads((folder / "manifest-000001.json").read_text()) | {"reasons": {"other": 0}}
    (folder / "manifest-000001.json").write_text(json.dumps(manifest))
    clip = read_newest(folder).clips[0]
    (folder / clip.file).unlink()
    (folder / clip.file).mkdir()
    with pytest.raises(UserError, match=rf"clip {clip.clip}: .*{clip.file} cannot be read \(Is a directory\); repair it with"):
        open_data(folder)
