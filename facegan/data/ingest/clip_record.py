"""What an ingest writes down about a clip: each frame that could not be used, the counts, and the hash of the Parquet file.

A clip's Parquet file and its record are named by a hash of everything that they depend on, so a file that exists need not be
made again. This module imports neither OpenCV nor PyArrow.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass

from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.sources import ClipSource, tag_hash
from facegan.data.ingest.split import SplitName
from facegan.errors import UserError
from facegan.records import parse_record

CLIP_VERSION = 5
"""Version of the Parquet columns and of the records, a part of the names of both."""

CLIPS = "clips"
"""Folder of a data set that holds the Parquet files and the records of its clips."""

MOST = 2**40
"""No clip has as many frames or bytes, so that totals do not overflow."""

_PLAIN_NAME = re.compile(r"[^/\\\x00-\x1f]+")


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A frame that was read but not written: the reason, and the file of the source in which it was found.

    `frame` counts from 1; 0 stands for the whole clip.
    """

    clip: str
    frame: int
    reason: str
    where: str

    def __post_init__(self) -> None:
        if not 0 <= self.frame < 2**31:
            raise UserError(f"frame is {self.frame}: a number from 0 to 2147483647")


@dataclass(frozen=True, slots=True)
class ClipProgress:
    """Number of frames of a clip that are done, and the number that its header claims."""

    clip: str
    frames: int
    claimed: int


@dataclass(frozen=True, slots=True)
class ClipRecord:
    """The result of the ingest of one clip: `frames_read` frames became `rows` rows and `len(quarantined)` rejected frames.

    `file_bytes` and `sha256` are those of the Parquet file (0 and empty if the clip has no row and hence no file);
    `image_bytes` is the size of its encoded images. Raises UserError if the counts do not add up or `key` is not a file name.
    """

    clip: str
    person: str
    split: SplitName
    category: str
    source_sha256: str
    key: str
    rows: int
    file_bytes: int
    image_bytes: int
    sha256: str
    frames_read: int
    quarantined: list[Quarantined]
    doubtful: int
    """Frames in which the detector that checks landmarks found no face."""

    def __post_init__(self) -> None:
        if not _PLAIN_NAME.fullmatch(self.key):
            raise UserError(f"key is {self.key!r}: a file name")
        for name in ("rows", "file_bytes", "image_bytes", "frames_read"):
            if not 0 <= getattr(self, name) < MOST:
                raise UserError(f"clip {self.clip!r}: {name} is {getattr(self, name)}: a number from 0 to 2^40")
        if not 0 <= self.doubtful <= self.frames_read:
            raise UserError(f"clip {self.clip!r} has {self.doubtful} doubtful of {self.frames_read} frames")
        if self.frames_read != self.rows + len(self.quarantined):
            raise UserError(
                f"clip {self.clip!r} has {self.frames_read} frames read, {self.rows} written and {len(self.quarantined)} "
                "quarantined: the counts must add up"
            )

    def to_json(self) -> bytes:
        """The record as JSON; equal records give equal bytes."""
        return json.dumps(asdict(self), indent=1).encode()


def record_from_json(content: bytes, name: str, cure: str) -> ClipRecord:
    """The record in some JSON bytes; `name` says in messages where they are from, `cure` tells the user what to do.

    Raises UserError if the content is damaged or of another version.
    """
    return parse_record(ClipRecord, content, name, cure)


def clip_key(clip: ClipSource, source_sha256: str, config: IngestConfig) -> str:
    """`<clip>-<hash>`: the name of the files made from this clip, whose content has this hash, with this configuration."""
    depends_on = [CLIP_VERSION, clip.clip, clip.person, clip.category, source_sha256, asdict(config)]
    return f"{clip.clip}-{hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()[:12]}"


def file_key(clip_key: str) -> str:
    """Path, inside a data set, of a clip's Parquet file."""
    return f"{CLIPS}/{clip_key}.parquet"


def record_key(clip_key: str) -> str:
    """Path, inside a data set, of a clip's record."""
    return f"{CLIPS}/{clip_key}.json"


def downloaded_key(clip: ClipSource) -> str:
    """Path, inside a data set, of the content's hash of a clip in a bucket, by the ETags that it had then."""
    return f"{CLIPS}/{clip.clip}-{tag_hash(clip)[:12]}.sha256"
