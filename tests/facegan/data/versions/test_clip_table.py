"""The table of a version's clips: what is in it, and what is refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from facegan.data.versions.clip_table import ClipTable, ManifestClip
from facegan.data.versions.table_file import from_parquet, to_parquet
from facegan.errors import UserError
from tests.facegan.data.versions.test_manifest import make_record

RECORDS = [make_record(name, bad) for name, bad in (("b", 1), ("a", 0), ("é", 2))]


def changed(column: str, *values: Any) -> bytes:
    """The table of three clips, with other values in a column."""
    table = whole()
    kind = table.schema.field(column).type
    return to_parquet(table.set_column(table.column_names.index(column), column, pa.array(list(values), kind)))


def whole() -> Any:
    import pyarrow.parquet as pq

    return pq.read_table(pa.BufferReader(ClipTable.of_records(RECORDS).content))


def test_clips_are_in_order_and_every_way_of_reading_them_agrees() -> None:
    table = ClipTable.of_records(RECORDS)
    assert table.texts("clip") == [clip.clip for clip in table] == ["a", "b", "é"]
    assert list(table) == [table[i] for i in range(len(table))] and table[-1] == table[2]
    with pytest.raises(IndexError):
        table[3]
    assert table[1] == ManifestClip(
        clip="b", person="b", split="train", category="train", source_sha256="0" * 64, key="b-0123456789ab",
        sha256="1" * 64, rows=5, file_bytes=100, image_bytes=50, frames_read=6, doubtful=0
    )  # fmt: skip
    assert (table[1].file, table[1].quarantined) == ("clips/b-0123456789ab.parquet", 1)
    assert np.array_equal(table.numbers("frames_read"), [5, 6, 7]) and table.total("frames_read") == 18


def test_equal_clips_give_equal_bytes_however_the_table_came_about() -> None:
    table = ClipTable.of_records(RECORDS)
    assert ClipTable.of_records(RECORDS[2:]).updated(RECORDS[:1]).updated(RECORDS[1:2]) == table
    other = replace(RECORDS[0], category="other")
    assert ClipTable.of_records([*RECORDS[1:], other]).updated(RECORDS[:1]) == table
    assert table.sources_of(["b", "x"]) == {"b": "0" * 64}
    extra = ClipTable.of_records([*RECORDS, make_record("c")])
    assert extra.without({"c"}) == table and extra != table
    assert len(ClipTable.of_records([])) == 0


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("key", ("../x-0123456789ab", "b-0123456789ab", "é-0123456789ab"), "clip 'a': key is '../x-0123456789ab'"),
        ("key", ("a-0123456789ab", "b", "é-0123456789ab"), "clip 'b': key is 'b'"),
        ("key", ("a-0123456789ab", "a-0123456789ab", "é-0123456789ab"), "clip 'b': key is 'a-0123456789ab'"),
        ("clip", ("b", "b", "é"), "clip 'b': key is 'a-0123456789ab'"),
        ("split", ("train", "train", "both"), "clip 'é': split is 'both': train or test"),
        ("source_sha256", ("0" * 64, "x" * 64, "0" * 64), "clip 'b': source_sha256 is"),
        ("rows", (5, -1, 5), "clip 'b': rows is -1"),
        ("image_bytes", (5, 2**62, 2**62), "clip 'b': image_bytes is 4611686018427387904: a number from 0"),
        ("frames_read", (5, 6, 4), "clip 'é': rows is 5: at most the number of frames"),
        ("sha256", ("1" * 64, "", "1" * 64), "clip 'b': sha256 is '': 64 hexadecimal digits if the clip has rows"),
        ("rows", (5, 0, 5), "clip 'b': sha256 is '1+': 64 hexadecimal digits if the clip has rows, otherwise empty"),
        ("file_bytes", (100, 0, 100), "clip 'b': file_bytes is 0: above 0 if the clip has rows"),
        ("person", ("a", None, "c"), "1 values of person are missing"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_clip(column: str, values: tuple[Any, ...], said: str) -> None:
    with pytest.raises(UserError, match=said) as refused:
        ClipTable(changed(column, *values))
    assert len(str(refused.value).splitlines()) == 1


def test_clips_out_of_order_or_twice_are_refused() -> None:
    for rows in ([1, 0, 2], [0, 0, 1]):
        with pytest.raises(UserError, match="clips are not in the order of their names, each once"):
            ClipTable(to_parquet(whole().take(rows)))
    with pytest.raises(UserError, match="each once"):
        ClipTable.of_records([*RECORDS, RECORDS[0]])


def test_a_person_on_both_sides_is_refused_and_on_one_side_is_not() -> None:
    table = whole().to_pylist()
    for splits, people, good in (("train train test", "x x y", True), ("train test test", "x y x", False)):
        for row, split, person in zip(table, splits.split(), people.split(), strict=True):
            row |= {"split": split, "person": person}
        content = to_parquet(pa.Table.from_pylist(table, whole().schema))
        if good:
            assert len(ClipTable(content)) == 3
        else:
            with pytest.raises(UserError, match="person 'x' is in training clip 'a' and in test clip 'é'"):
                ClipTable(content)


def test_other_columns_other_types_and_broken_text_are_refused() -> None:
    table = whole()
    for wrong in (table.drop_columns("key"), table.append_column("more", table["rows"]), table.cast(
        pa.schema([f.with_type(pa.int32()) if f.name == "rows" else f for f in table.schema])
    )):  # fmt: skip
        with pytest.raises(UserError, match=r"its columns are .*: they must be "):
            ClipTable(to_parquet(wrong))
    broken = pa.Array.from_buffers(
        pa.string(), 3, [None, pa.py_buffer(np.arange(4, dtype=np.int32)), pa.py_buffer(b"\xff\xfe\xfd")]
    )
    with pytest.raises(UserError, match="no Parquet file that can be read"):
        from_parquet(to_parquet(table.set_column(1, "person", broken)), table.schema)
    with pytest.raises(UserError, match="no Parquet file that can be read"):
        ClipTable(b"")
