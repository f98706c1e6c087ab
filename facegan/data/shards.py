"""One clip -> one Parquet file of encoded crops and landmarks, and a record of what became of each of its frames.

Both are named by the hash of what they were made of, so a file that is there need not be made again. The record is written
last: a clip is done when its record exists.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from facegan.data.clip_reader import ClipReader, LocatedFrame
from facegan.data.clip_record import ClipProgress, ClipRecord, Quarantined, clip_key
from facegan.data.crop import Crop, crop_face, face_square, steady
from facegan.data.ingest_config import IngestConfig
from facegan.data.sources import ClipSource
from facegan.files import file_sha256
from facegan.landmarks.finder import LandmarkFinder
from facegan.landmarks.points import POINTS

ROWS_PER_GROUP = 64

SCHEMA = pa.schema(
    [
        ("clip", pa.string()),
        ("person", pa.string()),
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


def write_clip(clip: ClipSource, root: Path, into: Path, config: IngestConfig, source_sha256: str) -> ClipRecord:
    """Ingest one annotated clip of the source below `root`; see `writing_clip`."""
    *_, record = writing_clip(clip, root, into, config, source_sha256, None)
    assert isinstance(record, ClipRecord)
    return record


def writing_clip(
    clip: ClipSource, root: Path, into: Path, config: IngestConfig, source_sha256: str, finder: LandmarkFinder | None
) -> Iterator[ClipProgress | ClipRecord]:
    """Ingest one clip into `<into>/<key>.parquet`, a row group a step, and at last give its record.

    A clip without a good frame leaves no file.
    """
    assert (finder is None) == (config.landmarks == "annotations"), f"landmarks are {config.landmarks}, finder is {finder}"
    reader = ClipReader(clip, root, finder)
    quarantined: list[Quarantined] = []
    key = clip_key(clip, source_sha256, config)
    parquet = into / f"{key}.parquet"
    rows = image_bytes = 0
    with pq.ParquetWriter(parquet, SCHEMA, compression="none", use_dictionary=False, write_statistics=False) as writer:
        good = _rows(clip, reader, config, quarantined.append)
        while group := list(islice(good, ROWS_PER_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, SCHEMA), row_group_size=ROWS_PER_GROUP)
            rows += len(group)
            image_bytes += sum(len(row["image"]) for row in group)
            yield ClipProgress(clip.clip, rows + len(quarantined), reader.claimed)
    read = reader.frames_read()
    assert read == rows + len(quarantined), f"{clip.clip}: {read} frames read, {rows} written, {len(quarantined)} quarantined"
    size, digest = (parquet.stat().st_size, file_sha256(parquet)) if rows else (0, "")
    if not rows:
        parquet.unlink()
    about = (clip.clip, clip.person, clip.split, clip.category, source_sha256, key)
    yield ClipRecord(*about, rows, size, image_bytes, digest, read, quarantined)


def _rows(
    clip: ClipSource, reader: ClipReader, config: IngestConfig, quarantine: Callable[[Quarantined], None]
) -> Iterator[dict[str, Any]]:
    scale = config.crop_scale
    squares = ((f.frame, face_square(f.points, scale) if isinstance(f, LocatedFrame) else None, f) for f in reader.read())
    for square, frame in steady(squares, config.crop_smoothing):
        if isinstance(frame, Quarantined):
            quarantine(frame)
            continue
        assert square is not None, "a frame with landmarks has a square"
        yield _row(clip, frame, crop_face(frame.image, frame.points, square, config.size), config)


def _row(clip: ClipSource, frame: LocatedFrame, crop: Crop, config: IngestConfig) -> dict[str, Any]:
    return {
        "clip": clip.clip,
        "person": clip.person,
        "split": clip.split,
        "category": clip.category,
        "frame": frame.frame,
        "image": _encode(crop.image, config),
        "landmarks": crop.points.ravel(),
        "crop_box": crop.box,
        "source_width": frame.image.shape[1],
        "source_height": frame.image.shape[0],
    }


def _encode(image: NDArray[np.uint8], config: IngestConfig) -> bytes:
    jpeg = config.encoding == "jpeg"
    ok, encoded = cv2.imencode(
        ".jpg" if jpeg else ".png", image, [cv2.IMWRITE_JPEG_QUALITY, config.jpeg_quality] if jpeg else []
    )
    assert ok, "OpenCV could not encode a crop"
    return encoded.tobytes()


def decode_image(encoded: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[size, size, 3] uint8 RGB of an image column's bytes."""
    image = cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)
    assert image is not None, "a hash-checked row does not decode"
    return np.asarray(image, np.uint8)
