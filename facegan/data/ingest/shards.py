"""One Parquet file per clip, with encoded crops and landmarks, and the record of what became of each of its frames.

The record is written after the file: a clip is done when its record exists.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from facegan.data.ingest.clip_reader import ClipReader, LocatedFrame
from facegan.data.ingest.clip_record import ClipProgress, ClipRecord, Quarantined, clip_key
from facegan.data.ingest.crop import FLAT, TOO_LARGE, Square, crop_face, face_square, fits, is_flat, smooth_squares
from facegan.data.ingest.cross_check import Check, CrossCheck
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.jumps import reject_jumps
from facegan.data.ingest.sources import ClipSource
from facegan.files import file_sha256
from facegan.landmarks.finder import LandmarkFinder
from facegan.landmarks.points import POINTS

ROWS_PER_GROUP = 64
"""Rows that are in memory at a time, when writing and when reading."""

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
    """Ingest one annotated clip of the source at `root`; see `writing_clip`."""
    *_, record = writing_clip(clip, root, into, config, source_sha256, None)
    assert isinstance(record, ClipRecord)
    return record


def writing_clip(
    clip: ClipSource,
    root: Path,
    into: Path,
    config: IngestConfig,
    source_sha256: str,
    finder: LandmarkFinder | None,
    check: Check | None = None,
) -> Iterator[ClipProgress | ClipRecord]:
    """Ingest one clip into `<into>/<key>.parquet`; yield the progress after each row group, and the record at the end.

    A clip without a good frame leaves no file. `finder` is None if the landmarks come from annotations, `check` if no detector
    checks these.
    """
    assert (check is None) == (config.check_landmarks == "none"), f"check_landmarks is {config.check_landmarks}"
    assert (finder is None) == (config.landmarks == "annotations"), f"landmarks are {config.landmarks}, finder is {finder}"
    reader, cross_check = ClipReader(clip, root, finder), CrossCheck(check, clip.clip)
    quarantined: list[Quarantined] = []
    key = clip_key(clip, source_sha256, config)
    parquet = into / f"{key}.parquet"
    rows = image_bytes = 0
    with pq.ParquetWriter(parquet, SCHEMA, compression="none", use_dictionary=False, write_statistics=False) as writer:
        good = _rows(clip, reader, cross_check, config, quarantined)
        while group := list(islice(good, ROWS_PER_GROUP)):
            writer.write_table(pa.Table.from_pylist(group, SCHEMA), row_group_size=ROWS_PER_GROUP)
            rows += len(group)
            image_bytes += sum(len(row["image"]) for row in group)
            yield ClipProgress(clip.clip, rows + len(quarantined), reader.claimed)
    size, digest = (parquet.stat().st_size, file_sha256(parquet)) if rows else (0, "")
    if not rows:
        parquet.unlink()
    yield ClipRecord(
        clip=clip.clip,
        person=clip.person,
        split=clip.split,
        category=clip.category,
        source_sha256=source_sha256,
        key=key,
        rows=rows,
        file_bytes=size,
        image_bytes=image_bytes,
        sha256=digest,
        frames_read=reader.frames_read(),
        quarantined=quarantined,
        doubtful=cross_check.doubtful,
    )


def _rows(
    clip: ClipSource, reader: ClipReader, cross_check: CrossCheck, config: IngestConfig, quarantined: list[Quarantined]
) -> Iterator[dict[str, Any]]:
    """The row of each good frame; the bad ones are added to `quarantined`."""
    for square, frame in smooth_squares(_squares(reader, cross_check, config), config.crop_smoothing):
        if isinstance(frame, Quarantined):
            quarantined.append(frame)
            continue
        assert square is not None, "a frame with landmarks has a square"
        crop = crop_face(frame.image, frame.points, square, config.size)
        if is_flat(crop.image):
            quarantined.append(Quarantined(clip.clip, frame.frame, FLAT, clip.video))
            continue
        yield {
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


def _squares(
    reader: ClipReader, cross_check: CrossCheck, config: IngestConfig
) -> Iterator[tuple[int, Square | None, LocatedFrame | Quarantined]]:
    """The square of each frame that can be cropped; the others have none, so that they do not move the smoothed squares."""
    for frame in cross_check.passed(reject_jumps(reader.read(), reader.clip.clip)):
        if isinstance(frame, Quarantined):
            yield frame.frame, None, frame
            continue
        square = face_square(frame.points, config.crop_scale)
        if fits(square, frame.image):
            yield frame.frame, square, frame
        else:
            yield frame.frame, None, Quarantined(reader.clip.clip, frame.frame, TOO_LARGE, frame.where)


def _encode(image: NDArray[np.uint8], config: IngestConfig) -> bytes:
    """The content of a JPEG or PNG file with a BGR image [size, size, 3]."""
    suffix, options = (".jpg", [cv2.IMWRITE_JPEG_QUALITY, config.jpeg_quality]) if config.encoding == "jpeg" else (".png", [])
    ok, encoded = cv2.imencode(suffix, image, options)
    assert ok, "OpenCV could not encode a crop"
    return encoded.tobytes()


def decode_image(encoded: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[size, size, 3] uint8 RGB: the image in the bytes of a JPEG or PNG file, [bytes] uint8. Raises ValueError."""
    image = cv2.imdecode(encoded, cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise ValueError("neither a JPEG nor a PNG file")
    return np.asarray(image, np.uint8)
