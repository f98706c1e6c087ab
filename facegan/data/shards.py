"""A data set: one Parquet file of JPEG crops and landmarks a clip, and a manifest that makes them one.

A folder is a data set when its manifest exists; the manifest is written last. Its hash names the data in every result.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from facegan.config import UserError
from facegan.data.crop import crop_face
from facegan.data.vw300 import ClipSource, Frame, LeftOut, read_frames
from facegan.landmarks import POINTS

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
ROWS_PER_GROUP = 64
_MANIFEST_KEYS = {"synthetic", "source", "source_fingerprint", "ingest", "rows", "left_out", "clips"}

SCHEMA = pa.schema(
    [
        ("clip", pa.string()),
        ("split", pa.string()),
        ("category", pa.string()),
        ("frame", pa.int32()),
        ("image", pa.binary()),
        ("landmarks", pa.list_(pa.float32(), 2 * POINTS)),
        ("crop_box", pa.list_(pa.int32(), 3)),
        ("source_width", pa.int32()),
        ("source_height", pa.int32()),
    ]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestConfig:
    """How clips become rows."""

    size: int = 128
    """Side of the crops, pixels."""
    crop_scale: float = 2.0
    """Side of the crop over the larger side of the landmarks."""
    jpeg_quality: int = 95
    """1 to 100."""

    def __post_init__(self) -> None:
        if self.size < 32 or self.size % 16:
            raise UserError(f"size is {self.size}: a multiple of 16, at least 32")
        if not 1 <= self.crop_scale <= 5:
            raise UserError(f"crop_scale is {self.crop_scale}: between 1 and 5; 300VW's crops are 2.0 to 2.5")
        if not 1 <= self.jpeg_quality <= 100:
            raise UserError(f"jpeg_quality is {self.jpeg_quality}: between 1 and 100")


@dataclass(frozen=True, slots=True)
class ClipRecord:
    """What a manifest says of a clip: its file, rows and hash, and the frames that were left out."""

    clip: str
    split: str
    category: str
    file: str
    rows: int
    sha256: str
    left_out: list[LeftOut]


def write_clip(source: ClipSource, folder: Path, config: IngestConfig) -> ClipRecord:
    """Ingest one clip into `<folder>/<clip>.parquet`, atomically; a clip without a good frame leaves no file."""
    left_out: list[LeftOut] = []
    final = folder / f"{source.clip}.parquet"
    partial = final.with_suffix(f".{os.getpid()}.partial")
    rows = 0
    with pq.ParquetWriter(partial, SCHEMA, compression="none", use_dictionary=False, write_statistics=False) as writer:
        for table in _tables(source, config, left_out):
            writer.write_table(table, row_group_size=ROWS_PER_GROUP)
            rows += table.num_rows
    if not rows:
        partial.unlink()
        return ClipRecord(source.clip, source.split, source.category, "", 0, "", left_out)
    digest = hashlib.sha256(partial.read_bytes()).hexdigest()
    os.replace(partial, final)
    return ClipRecord(source.clip, source.split, source.category, final.name, rows, digest, left_out)


def _tables(source: ClipSource, config: IngestConfig, left_out: list[LeftOut]) -> Iterator[pa.Table]:
    rows: list[dict[str, Any]] = []
    for frame in read_frames(source):
        if isinstance(frame, LeftOut):
            left_out.append(frame)
            continue
        rows.append(_row(source, frame, config))
        if len(rows) == ROWS_PER_GROUP:
            yield pa.Table.from_pylist(rows, SCHEMA)
            rows = []
    if rows:
        yield pa.Table.from_pylist(rows, SCHEMA)


def _row(source: ClipSource, frame: Frame, config: IngestConfig) -> dict[str, Any]:
    crop = crop_face(frame.image, frame.points, config.size, config.crop_scale)
    ok, encoded = cv2.imencode(".jpg", crop.image, [cv2.IMWRITE_JPEG_QUALITY, config.jpeg_quality])
    assert ok, "OpenCV could not encode a crop"
    return {
        "clip": source.clip,
        "split": source.split,
        "category": source.category,
        "frame": frame.number,
        "image": encoded.tobytes(),
        "landmarks": crop.points.ravel(),
        "crop_box": crop.box,
        "source_width": frame.image.shape[1],
        "source_height": frame.image.shape[0],
    }


def write_manifest(
    folder: Path, clips: Iterable[ClipRecord], config: IngestConfig, *, synthetic: bool, source: str, fingerprint: str
) -> dict[str, Any]:
    """Write and return the manifest that turns a folder of Parquet files into a data set."""
    ordered = sorted(clips, key=lambda c: c.clip)
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "synthetic": synthetic,
        "source": source,
        "source_fingerprint": fingerprint,
        "ingest": asdict(config),
        "rows": sum(c.rows for c in ordered),
        "left_out": sum(len(c.left_out) for c in ordered),
        "clips": [asdict(c) for c in ordered],
    }
    partial = folder / f"{MANIFEST}.{os.getpid()}.partial"
    partial.write_text(json.dumps(manifest, indent=1))
    os.replace(partial, folder / MANIFEST)
    return manifest


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a data set; a UserError says what the folder is if it is none."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        version = manifest["schema_version"]
        complete = version != SCHEMA_VERSION or {"clips", "ingest", "synthetic", "source", "source_fingerprint", "rows"} <= set(
            manifest
        )
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"--data is {str(folder)!r}: no data set ({MANIFEST} is missing); make one with jobs/ingest.py"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"--data is {str(folder)!r}: its {MANIFEST} is damaged; ingest it anew with jobs/ingest.py") from None
    if version != SCHEMA_VERSION:
        raise UserError(
            f"--data is {str(folder)!r}: made with schema {version}, this program reads {SCHEMA_VERSION}; ingest it anew"
        )
    if not complete or not manifest["rows"]:
        raise UserError(f"--data is {str(folder)!r}: its {MANIFEST} is incomplete or names no frame; ingest it anew")
    return manifest


def manifest_hash(manifest: dict[str, Any]) -> str:
    """Names the data: what was ingested and how, not where it lay."""
    content = {k: v for k, v in manifest.items() if not k.startswith("source")}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_rows(folder: Path, manifest: dict[str, Any]) -> pa.Table:
    """All rows in the manifest's order, each file's hash checked."""
    return pa.concat_tables([_read_checked(folder, clip) for clip in manifest["clips"] if clip["rows"]])


def _read_checked(folder: Path, clip: dict[str, Any]) -> pa.Table:
    path = folder / clip["file"]
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"--data: {path} is missing although the manifest names it; ingest the data set anew") from None
    if hashlib.sha256(content).hexdigest() != clip["sha256"]:
        raise UserError(f"--data: {path} is not the file that was ingested (its sha256 differs); ingest the data set anew")
    return pq.read_table(pa.BufferReader(content), schema=SCHEMA)


def decode_image(jpeg: bytes) -> NDArray[np.uint8]:
    """[size, size, 3] uint8 RGB of an image column's value."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert image is not None, "a hash-checked row does not decode"
    return np.asarray(image, np.uint8)
