"""Manifests and records: what one says is listed, described, extended and verified, or it is refused in one line.

A local copy's manifest has no hash beside it, so damage gets past every check but those of its content.
"""

import json
import shutil
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegan.data.ingest.clip_record import CLIPS, record_from_json, record_key
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.reading.describe import describe
from facegan.data.reading.face_data import FaceData
from facegan.data.reading.local_copy import copy_of_folder
from facegan.data.versions.clip_table import ClipTable
from facegan.data.versions.manifest import (
    Manifest,
    make_manifest,
    manifest_hash,
    read_manifest,
    repair_command,
    to_bytes,
    without_clip,
)
from facegan.data.versions.quarantine import QuarantineTable
from facegan.data.versions.table_file import to_parquet
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
            values["frames_read"] = values["rows"] + values["quarantined"]
            values["reasons"] = {"a reason": values["quarantined"]}
            values["quarantine"]["rows"] = values["quarantined"]
        else:
            values["frames_read"] = values["rows"] + len(values["quarantined"])
    return values


def use_manifest(folder: Path) -> None:
    """List the clips, describe the data set, and make the manifest of a version without its first clip."""
    data = FaceData.of_copy(folder)
    manifest = data.manifest
    listed = [rows for part in ("train", "validation", "test") for rows in data.clips(part, 0.2).values()]
    assert sum(len(rows) for rows in listed) == len(data.points) == manifest.rows
    for rows in listed:
        assert len(data.points[rows]) == len(rows)
    assert all(data.person_of(clip.clip).isprintable() for clip in manifest.clips)
    assert all(line.isprintable() for line in describe(data, []))
    use_table(manifest.clips)
    assert read_manifest(files(manifest).__getitem__, "manifest", "again") == manifest
    kept, _ = without_clip(manifest, manifest.clips[0].clip, QuarantineTable.of_records([]))
    assert manifest_hash(kept) != manifest_hash(manifest)
    assert repair_command("/data", manifest.sources).isprintable()


def use_table(clips: ClipTable) -> None:
    """Read each clip, and make the table without the first one. A table may be empty; its manifest may not (`use_manifest`)."""
    for clip in clips:
        assert clip.clip.isprintable() and "/" not in clip.file.removeprefix(f"{CLIPS}/") and clip.key != ".."
        assert 0 <= clip.rows <= clip.frames_read and 0 <= clip.doubtful <= clip.frames_read
    first = {clip.clip for clip in islice(clips, 1)}
    assert len(clips.without(first)) == len(clips) - len(first)


def files(manifest: Manifest) -> dict[str, bytes]:
    """What is read of a version."""
    return {"manifest": to_bytes(manifest), manifest.clips.file.file: manifest.clips.content}


def use_record(content: bytes) -> Manifest:
    """Read a clip's record, and make the manifest of a data set of this clip."""
    found = record_from_json(content, "record.json", "repair it")
    assert record_key(found.key).startswith(f"{CLIPS}/") and json.loads(found.to_json())
    manifest, _ = make_manifest([found], CONFIG, synthetic=True, sources={})
    return read_manifest(files(manifest).__getitem__, "manifest", "/data")


@inputs(6, 60)
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


@inputs(7, 60)
@given(drawn=st.data())
def test_any_clip_table_is_used_or_refused_in_one_line(copy: Copy, drawn: st.DataObject) -> None:
    """A table that its manifest names by the right hash, as another program could write it."""
    (file,) = copy[0].glob("clips-*.parquet")
    whole = pq.read_table(file)
    rows = drawn.draw(damaged(json.dumps(whole.to_pylist()).encode()))
    schema = whole.schema if drawn.draw(st.booleans()) else None
    try:
        content = to_parquet(pa.Table.from_pylist(rows, schema))
    except (pa.ArrowException, TypeError, AttributeError, OverflowError, UnicodeEncodeError, ValueError, KeyError):
        content = json.dumps(rows).encode()  # nothing that a table can hold
    value_or_one_line("clip table", lambda: use_table(ClipTable(content)))


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
def test_a_count_that_no_table_holds_is_refused(record: bytes, field: str) -> None:
    with pytest.raises(UserError, match=rf"{field} is 1000+: a number from 0 to 2\^40"):
        use_record(json.dumps({**json.loads(record), field: 10**400}).encode())


def test_crops_of_a_size_that_nothing_trains_on_are_refused(copy: Copy) -> None:
    values = json.loads(copy[1])
    values["ingest"]["size"] = 10**400
    with pytest.raises(UserError, match="a multiple of 16, from 32 to 1024"):
        read_manifest({"manifest": json.dumps(values).encode()}.__getitem__, "manifest", "/data")
