"""The Parquet files of clips, as they are read from a data set: checked against the manifest, a row group at a time."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from facegan.data.ingest.shards import SCHEMA
from facegan.data.versions.clip_table import ManifestClip
from facegan.errors import UserError
from facegan.files import file_sha256

FETCHES = 16
"""Clips that are fetched at a time: one alone waits for storage most of the time."""

_FOREIGN = "it was written by another program; ingest its clips into another place with jobs/ingest.py"

Fetch = Callable[[ManifestClip, Path], Path]
"""From a clip of the manifest and a folder for downloads to a local Parquet file whose hash was checked."""


def checked_file(folder: Path, clip: ManifestClip, cure: str) -> Path:
    """The Parquet file of a clip in a data set's folder; `cure` tells the user what to do if it is broken.

    Raises UserError if it is missing, if it cannot be read or if its hash is another.
    """
    path = folder / clip.file
    try:
        digest = file_sha256(path)
    except FileNotFoundError:
        raise UserError(f"data set: clip {clip.clip}: {path} is missing although the manifest names it; {cure}") from None
    except OSError as error:
        raise UserError(f"data set: clip {clip.clip}: {path} cannot be read ({error.strerror or error}); {cure}") from None
    if digest != clip.sha256:
        raise UserError(f"data set: clip {clip.clip}: {path} is not the file that was ingested (its sha256 differs); {cure}")
    return path


def row_groups(clip: ManifestClip, file: Path) -> Iterator[Any]:
    """The row groups of a file whose hash was checked, which another program may have written nevertheless."""
    # Not mapped: a file that is cut while it is mapped would kill the process.
    with pa.OSFile(str(file)) as source:
        try:
            parquet = pq.ParquetFile(source)
        except pa.ArrowException:
            raise UserError(f"data set: clip {clip.clip}: {clip.file} is no Parquet file; {_FOREIGN}") from None
        if not parquet.schema_arrow.equals(SCHEMA) or parquet.metadata.num_rows != clip.rows:
            raise UserError(f"data set: clip {clip.clip}: {clip.file} has other columns or rows than the manifest; {_FOREIGN}")
        for number in range(parquet.num_row_groups):
            yield from parquet.read_row_group(number).combine_chunks().to_batches()
