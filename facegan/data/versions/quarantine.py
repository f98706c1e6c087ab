"""The frames of a data set that were read but not written, as the file quarantine-<hash>.parquet."""

from collections.abc import Collection
from typing import Any

from facegan.data.ingest.clip_record import ClipRecord, Quarantined
from facegan.data.versions.table_file import TableFile, from_parquet, in_order, table_file, to_parquet, without_clips

_NAMES = ("clip", "frame", "reason", "where")


class QuarantineTable:
    """Clip, frame, reason and file of every quarantined frame, in the order of the clips' names.

    Raises UserError if the content is no such table.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._table = from_parquet(content, _schema())
        self.file: TableFile = table_file("quarantine", content, len(self._table))

    @classmethod
    def of_records(cls, records: Collection[ClipRecord]) -> "QuarantineTable":
        """The quarantined frames of some clips."""
        return cls(to_parquet(in_order(_table_of(records))))

    def updated(self, records: Collection[ClipRecord]) -> "QuarantineTable":
        """These frames and those of some clips, which replace the frames of clips of the same name."""
        others = without_clips(self._table, [record.clip for record in records])
        return QuarantineTable(to_parquet(in_order(others, _table_of(records))))

    def without(self, clips: Collection[str]) -> "QuarantineTable":
        """The frames of other clips than these."""
        return QuarantineTable(to_parquet(without_clips(self._table, clips)))

    def __len__(self) -> int:
        return len(self._table)

    def reasons(self) -> dict[str, int]:
        """The number of frames by reason."""
        return dict(sorted((row["values"], row["counts"]) for row in self._table["reason"].value_counts().to_pylist()))

    def rows(self) -> list[Quarantined]:
        """The frames one by one."""
        return [Quarantined(**row) for row in self._table.to_pylist()]


def _table_of(records: Collection[ClipRecord]) -> Any:
    import pyarrow as pa

    rows = [row for record in records for row in record.quarantined]
    return pa.table({name: [getattr(row, name) for row in rows] for name in _NAMES}, _schema())


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema([("clip", pa.string()), ("frame", pa.int32()), ("reason", pa.string()), ("where", pa.string())])
