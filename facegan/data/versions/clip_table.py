"""The clips of a version of a data set, as the file clips-<hash>.parquet and as columns in memory.

An object for each of 100,000 clips takes 0.2 GiB, and checking its fields one by one takes seconds. So objects are made when
they are asked for, and the checks are of whole columns.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegan.data.ingest.clip_record import MOST, ClipRecord, file_key
from facegan.data.ingest.split import SplitName, check_people
from facegan.data.versions.table_file import (
    TableFile,
    from_parquet,
    in_order,
    only_clips,
    table_file,
    to_parquet,
    without_clips,
)
from facegan.errors import UserError

_TEXTS = ("clip", "person", "split", "category", "source_sha256", "key", "sha256")
_NUMBERS = ("rows", "file_bytes", "image_bytes", "frames_read", "doubtful")
_AT_A_TIME = 1000
"""Clips that are made into objects at a time."""


@dataclass(frozen=True, slots=True)
class ManifestClip:
    """A clip of a data set; see `ClipRecord`. `sha256` is that of its Parquet file, empty if no frame could be used."""

    clip: str
    person: str
    split: SplitName
    category: str
    source_sha256: str
    key: str
    sha256: str
    rows: int
    file_bytes: int
    image_bytes: int
    frames_read: int
    doubtful: int

    @property
    def file(self) -> str:
        """Path of the Parquet file inside the data set; empty if there is none."""
        return file_key(self.key) if self.rows else ""

    @property
    def quarantined(self) -> int:
        """Number of frames that were read but not written."""
        return self.frames_read - self.rows


class ClipTable:
    """The clips in the order of their names, each once; rows of the data set are counted in this order.

    Raises UserError if the content is no such table, if a value is out of range, or if a person is in training and test clips.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._table = from_parquet(content, _schema())
        _check_values(self._table)
        _check_names_and_people(self._table)
        self.file: TableFile = table_file("clips", content, len(self._table))

    @classmethod
    def of_records(cls, records: Collection[ClipRecord]) -> "ClipTable":
        """The clips of some records."""
        return cls(to_parquet(in_order(_table_of(records))))

    def updated(self, records: Collection[ClipRecord]) -> "ClipTable":
        """These clips and those of some records, which replace the clips of the same name."""
        others = without_clips(self._table, [record.clip for record in records])
        return ClipTable(to_parquet(in_order(others, _table_of(records))))

    def without(self, clips: Collection[str]) -> "ClipTable":
        """The other clips than these."""
        return ClipTable(to_parquet(without_clips(self._table, clips)))

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, position: int) -> ManifestClip:
        return ManifestClip(**self._table.slice(range(len(self))[position], 1).to_pylist()[0])

    def __iter__(self) -> Iterator[ManifestClip]:
        for batch in self._table.to_batches(max_chunksize=_AT_A_TIME):
            yield from (ManifestClip(**row) for row in batch.to_pylist())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClipTable) and self.content == other.content

    __hash__ = None  # type: ignore[assignment]

    def texts(self, column: str) -> list[str]:
        """The values of a column of text, one for each clip."""
        found: list[str] = self._table[column].to_pylist()
        return found

    def sources_of(self, clips: Collection[str]) -> dict[str, str]:
        """The `source_sha256` of those of some clips that are in the table."""
        found = only_clips(self._table, clips)
        return dict(zip(found["clip"].to_pylist(), found["source_sha256"].to_pylist(), strict=True))

    def numbers(self, column: str) -> NDArray[np.int64]:
        """[clips]: the values of a column of numbers."""
        return np.asarray(self._table[column].to_numpy(), np.int64)

    def total(self, column: str) -> int:
        """The sum of a column of numbers."""
        import pyarrow.compute as pc

        return int(pc.sum(self._table[column], min_count=0).as_py())


def _table_of(records: Collection[ClipRecord]) -> Any:
    import pyarrow as pa

    return pa.table({name: [getattr(r, name) for r in records] for name in (*_TEXTS, *_NUMBERS)}, _schema())


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema([*((name, pa.string()) for name in _TEXTS), *((name, pa.int64()) for name in _NUMBERS)])


def _check_values(table: Any) -> None:
    """Raise UserError for the first clip with a value that is out of range."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def is_hash(column: str) -> Any:
        return pc.match_substring_regex(table[column], "^[0-9a-f]{64}$")

    # The key becomes a path: nothing in it may lead out of the data set, and no two clips may share a file.
    named = pc.and_(
        pc.match_substring_regex(table["key"], r"^[^/\\\x00-\x1f]+-[0-9a-f]{12}$"),
        pc.equal(pc.utf8_slice_codeunits(table["key"], 0, -13), table["clip"]),
    )
    filled = pc.greater(table["rows"], 0)
    rules = [
        ("key", named, "<clip>-<12 hexadecimal digits>, a file name"),
        ("split", pc.is_in(table["split"], value_set=pa.array(["train", "test"])), "train or test"),
        ("source_sha256", is_hash("source_sha256"), "64 hexadecimal digits"),
        *(
            (name, pc.and_(pc.greater_equal(table[name], 0), pc.less(table[name], MOST)), "a number from 0 to 2^40")
            for name in _NUMBERS
        ),
        *(
            (name, pc.less_equal(table[name], table["frames_read"]), "at most the number of frames that were read")
            for name in ("rows", "doubtful")
        ),
        (
            "sha256",
            pc.if_else(filled, is_hash("sha256"), pc.equal(table["sha256"], "")),
            "64 hexadecimal digits if the clip has rows, otherwise empty",
        ),
        ("file_bytes", pc.equal(filled, pc.greater(table["file_bytes"], 0)), "above 0 if the clip has rows, otherwise 0"),
    ]
    for name, good, allowed in rules:
        bad = pc.index(good, False).as_py()
        if bad >= 0:
            row = table.slice(bad, 1).to_pylist()[0]
            raise UserError(f"clip {row['clip']!r}: {name} is {row[name]!r}: {allowed}")


def _check_names_and_people(table: Any) -> None:
    import pyarrow.compute as pc

    clips = table["clip"]
    if not pc.all(pc.less(clips[:-1], clips[1:]), min_count=0).as_py():
        raise UserError("clips are not in the order of their names, each once")
    people, training = table["person"], pc.equal(table["split"], "train")
    both = pc.is_in(people.filter(training), value_set=pc.unique(people.filter(pc.invert(training))))
    if pc.any(both, min_count=0).as_py():
        rows = table.select(["clip", "person", "split"]).to_pylist()
        check_people(((row["clip"], row["person"], row["split"] == "train") for row in rows), "clips")
