"""The tables of a data set: Parquet files beside the manifests, which name them by their content.

PyArrow is imported inside functions, since the flags of a job are checked before it is loaded.
"""

import hashlib
import io
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from facegan.errors import UserError

TableKind = Literal["clips", "quarantine"]

_NAME = re.compile(r"(clips|quarantine)-[0-9a-f]{12}\.parquet")


@dataclass(frozen=True, slots=True)
class TableFile:
    """A table as a manifest names it: its file inside the data set, the hash of the file and the number of rows."""

    file: str
    sha256: str
    rows: int

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.file):
            raise UserError(f"file is {self.file!r}: clips-<hash>.parquet or quarantine-<hash>.parquet")


def table_file(kind: TableKind, content: bytes, rows: int) -> TableFile:
    """What a manifest says of a table with this content."""
    sha256 = hashlib.sha256(content).hexdigest()
    return TableFile(f"{kind}-{sha256[:12]}.parquet", sha256, rows)


def checked(content: bytes, table: TableFile) -> bytes:
    """The content of a table's file. Raises UserError if it is not what was written."""
    if hashlib.sha256(content).hexdigest() != table.sha256:
        raise UserError("it is not what was written (its sha256 differs)")
    return content


def to_parquet(table: Any) -> bytes:
    """An Arrow table as a Parquet file; equal rows give equal bytes with the same version of PyArrow."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    # One chunk a column, since the pages of the file end where chunks do.
    how = {"compression": "zstd", "use_dictionary": False, "write_statistics": False}
    pq.write_table(table.combine_chunks(), sink, row_group_size=max(len(table), 1), **how)
    return sink.getvalue()


def from_parquet(content: bytes, schema: Any) -> Any:
    """The Arrow table in a Parquet file. Raises UserError if it has other columns than `schema`, or a value is missing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Not pq.read_table, which loads libraries of 50 MB first.
        table = pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
        table.validate(full=True)  # also that text is UTF-8
    except (pa.ArrowException, OSError) as error:
        first_line = str(error).partition("\n")[0]
        raise UserError(f"no Parquet file that can be read ({first_line})") from None
    if not table.schema.equals(schema):
        raise UserError(f"its columns are {', '.join(map(str, table.schema))}: they must be {', '.join(map(str, schema))}")
    for name in table.column_names:
        if table[name].null_count:
            raise UserError(f"{table[name].null_count} values of {name} are missing")
    return table


def only_clips(table: Any, names: Collection[str]) -> Any:
    """The rows of an Arrow table whose column `clip` is one of these names."""
    return table.filter(_are(table, names))


def without_clips(table: Any, names: Collection[str]) -> Any:
    """The rows of an Arrow table whose column `clip` is none of these names."""
    import pyarrow.compute as pc

    named = _are(table, names)
    # Mostly there is none, and a copy of 100,000 clips takes 23 MB.
    return table.filter(pc.invert(named)) if pc.any(named).as_py() else table


def _are(table: Any, names: Collection[str]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.is_in(table["clip"], value_set=pa.array(list(names), pa.string()))


def in_order(*tables: Any) -> Any:
    """The rows of some Arrow tables, sorted by their column `clip`; rows of one clip keep their order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = pa.concat_tables(tables)
    return table.take(pc.sort_indices(table["clip"]))  # a stable sort
