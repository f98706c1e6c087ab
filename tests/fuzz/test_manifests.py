"""Manifests and records: what one says is listed, described, extended and verified, or it is refused in one line.

A local copy's manifest has no hash beside it, so damage gets past every check but those of its content.
"""

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegan.data.clip_record import is_clip_file, record_from_json, record_key
from facegan.data.describe import describe
from facegan.data.face_data import FaceData
from facegan.data.ingest_config import IngestConfig
from facegan.data.local_copy import copy_of_folder
from facegan.data.manifest import (
    Manifest,
    make_manifest,
    manifest_hash,
    parse_manifest,
    repair_command,
    to_bytes,
    without_clip,
)
from facegan.errors import UserError
from tests.fuzz.inputs import damaged, inputs, value_or_one_line

Copy = tuple[Path, bytes]
CONFIG = IngestConfig(size=32)


@pytest.fixture(scope="module")
def copy(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A local copy of a data set, and its manifest."""
    folder = tmp_path_factory.mktemp("copy") / "data"
    shutil.copytree(copy_of_folder(data_folder), folder)
    return folder, (folder / "manifest.json").read_bytes()


@pytest.fixture(scope="module")
def record(data_folder: Path) -> bytes:
    """The record of a clip; some of its frames are quarantined."""
    values = json.loads(next((data_folder / "clips").glob("*.json")).read_bytes())
    bad = [{"clip": values["clip"], "frame": frame, "reason": "no face found", "where": "vid.avi"} for frame in (7, 8)]
    return json.dumps({**values, "frames_read": values["frames_read"] + 2, "quarantined": bad}).encode()


def counts_that_fit(values: Any) -> Any:
    """A manifest or a record whose counts add up, where they are numbers."""
    with suppress(LookupError, TypeError, AttributeError):
        if "clips" in values:
            for clip in values["clips"]:
                clip["frames_read"] = clip["rows"] + clip["quarantined"]
            for name in ("frames_read", "rows", "quarantined"):
                values[name] = sum(clip[name] for clip in values["clips"])
            values["reasons"] = {"a reason": values["quarantined"]}
        else:
            values["frames_read"] = values["rows"] + len(values["quarantined"])
    return values


def use_manifest(folder: Path) -> None:
    """List the clips, describe the data set, and make the manifest of a version without its first clip."""
    data = FaceData(folder)
    manifest = data.manifest
    listed = [rows for part in ("train", "validation", "test") for rows in data.clips(part, 0.2).values()]
    assert sum(len(rows) for rows in listed) == len(data.points) == manifest.rows
    for rows in listed:
        assert len(data.points[rows]) == len(rows)
    assert all(data.person_of(clip.clip).isprintable() for clip in manifest.clips)
    assert all(line.isprintable() for line in describe(data, []))
    assert parse_manifest(to_bytes(manifest), "again") == manifest
    kept, _ = without_clip(manifest, manifest.clips[0].clip, [])
    assert manifest_hash(kept) != manifest_hash(manifest)
    assert repair_command("/data", manifest.sources).isprintable()


def use_record(content: bytes) -> Manifest:
    """Read a clip's record, and make the manifest of a data set of this clip."""
    found = record_from_json(content, "record.json", "repair it")
    assert is_clip_file(record_key(found.key), ".json") and json.loads(found.to_json())
    manifest, _ = make_manifest([found], CONFIG, synthetic=True, sources={})
    return parse_manifest(to_bytes(manifest), "/data")


@inputs(13, 100)
@given(drawn=st.data())
def test_any_manifest_is_used_or_refused_in_one_line(copy: Copy, drawn: st.DataObject) -> None:
    folder, original = copy
    values = damaged(original) | damaged(original).map(counts_that_fit)
    texts = values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40)
    (folder / "manifest.json").write_bytes(drawn.draw(texts))
    try:
        value_or_one_line("manifest", lambda: use_manifest(folder))
    finally:
        (folder / "manifest.json").write_bytes(original)


@inputs(12, 100)
@given(drawn=st.data())
def test_any_record_is_used_or_refused_in_one_line(record: bytes, drawn: st.DataObject) -> None:
    values = damaged(record) | damaged(record).map(counts_that_fit)
    content = drawn.draw(values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40))
    value_or_one_line("record", lambda: use_record(content))


def test_what_was_written_is_used(copy: Copy, record: bytes) -> None:
    use_manifest(copy[0])
    assert use_record(record).quarantined == 2


@pytest.mark.parametrize("field", ["file_bytes", "image_bytes"])
def test_a_count_that_is_no_float_is_refused(copy: Copy, field: str) -> None:
    values = json.loads(copy[1])
    values["clips"][0][field] = 10**400
    with pytest.raises(UserError, match=r"counts of 2\^63"):
        parse_manifest(json.dumps(values).encode(), "/data")


def test_crops_of_a_size_that_nothing_trains_on_are_refused(copy: Copy) -> None:
    values = json.loads(copy[1])
    values["ingest"]["size"] = 10**400
    with pytest.raises(UserError, match="a multiple of 16, from 32 to 1024"):
        parse_manifest(json.dumps(values).encode(), "/data")
