"""The manifests of a data set: one file a version, never changed once written. The highest version is the current one.

manifest-000001.json        the clips of version 1, and how they were made
clips/<clip>-<hash>.parquet crops and landmarks of a clip
clips/<clip>-<hash>.json    the clip's record (`ClipRecord`)
quarantine-<hash>.parquet   clip, frame, reason and file of every frame that was read but not written

The hash of a manifest names the data in plans and results. This module imports PyArrow only where a table is read or written.
"""

import hashlib
import io
import json
import re
import shlex
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from facegan.data.clip_record import SCHEMA_VERSION, ClipRecord, Quarantined, file_key, is_clip_file, record_key
from facegan.data.ingest_config import IngestConfig
from facegan.data.listing import IngestedSource
from facegan.data.split import SplitName, check_people
from facegan.errors import UserError
from facegan.records import from_json, parse_record

_MANIFEST_NAME = re.compile(r"manifest-(\d{6})\.json")
_QUARANTINE_NAME = re.compile(r"quarantine-[0-9a-f]{12}\.parquet")


@dataclass(frozen=True, slots=True)
class ManifestClip:
    """A clip of a data set. `file` and `record` are paths inside the data set; `file` is empty if no frame could be used."""

    file: str
    clip: str
    person: str
    split: SplitName
    category: str
    source_sha256: str
    rows: int
    file_bytes: int
    image_bytes: int
    sha256: str
    frames_read: int
    quarantined: int
    record: str

    def __post_init__(self) -> None:
        if self.file and not is_clip_file(self.file, ".parquet"):
            raise UserError(f"file is {self.file!r}: clips/<name>.parquet")
        if not is_clip_file(self.record, ".json"):
            raise UserError(f"record is {self.record!r}: clips/<name>.json")
        if max(self.rows, self.file_bytes, self.image_bytes, self.quarantined) >= 2**63:
            raise UserError(f"clip {self.clip!r} has counts of 2^63 and more")
        if min(self.rows, self.file_bytes, self.image_bytes, self.quarantined) < 0 or bool(self.rows) != bool(self.file):
            raise UserError(f"clip {self.clip!r} has {self.rows} rows in {self.file!r}: rows and a file, or neither")


@dataclass(frozen=True, slots=True)
class QuarantineTable:
    """The Parquet file, inside a data set, that lists the quarantined frames."""

    file: str
    sha256: str

    def __post_init__(self) -> None:
        if not _QUARANTINE_NAME.fullmatch(self.file):
            raise UserError(f"quarantine.file is {self.file!r}: quarantine-<hash>.parquet")


@dataclass(frozen=True, slots=True)
class Manifest:
    """One version of a data set. Its clips are in the order of their names, and rows are counted in this order.

    `sources` has what was found at the location of each source; `reasons` counts the quarantined frames by reason.
    Raises UserError if the counts do not add up, a clip is named twice, or a person is in training and test clips.
    """

    schema_version: int
    synthetic: bool
    sources: dict[str, IngestedSource]
    ingest: IngestConfig
    frames_read: int
    rows: int
    quarantined: int
    reasons: dict[str, int]
    quarantine: QuarantineTable
    clips: list[ManifestClip]

    def __post_init__(self) -> None:
        for name in ("frames_read", "rows", "quarantined"):
            total = sum(getattr(clip, name) for clip in self.clips)
            if getattr(self, name) != total:
                raise UserError(f"{name} is {getattr(self, name)}: the clips have {total}")
        if self.frames_read != self.rows + self.quarantined or self.quarantined != sum(self.reasons.values()):
            raise UserError(f"frames_read is {self.frames_read}: rows and quarantined frames, by reason, must add up to it")
        names = [clip.clip for clip in self.clips]
        if sorted(set(names)) != names:
            raise UserError("clips are not in the order of their names, each once")
        check_people(((clip.clip, clip.person, clip.split == "train") for clip in self.clips), "clips")


def manifest_key(version: int) -> str:
    """The file name of a version's manifest."""
    return f"manifest-{version:06d}.json"


def newest_version(keys: Iterable[str]) -> int:
    """The highest version among file names; 0 if there is no manifest."""
    return max((int(found[1]) for key in keys if (found := _MANIFEST_NAME.fullmatch(key))), default=0)


def make_manifest(
    records: Iterable[ClipRecord], config: IngestConfig, *, synthetic: bool, sources: dict[str, IngestedSource]
) -> tuple[Manifest, bytes]:
    """A manifest of some clips, and the content of the quarantine table that it names."""
    ordered = sorted(records, key=lambda record: record.clip)
    table = _quarantine_table(row for record in ordered for row in record.quarantined)
    digest = _sha256(table)
    manifest = Manifest(
        schema_version=SCHEMA_VERSION,
        synthetic=synthetic,
        sources=sources,
        # As it will be read again: 2 becomes 2.0, which changes the hash.
        ingest=from_json(IngestConfig, asdict(config)),
        frames_read=sum(record.frames_read for record in ordered),
        rows=sum(record.rows for record in ordered),
        quarantined=sum(len(record.quarantined) for record in ordered),
        reasons=dict(sorted(Counter(row.reason for record in ordered for row in record.quarantined).items())),
        quarantine=QuarantineTable(f"quarantine-{digest[:12]}.parquet", digest),
        clips=[
            ManifestClip(
                file=file_key(record.key) if record.rows else "",
                clip=record.clip,
                person=record.person,
                split=record.split,
                category=record.category,
                source_sha256=record.source_sha256,
                rows=record.rows,
                file_bytes=record.file_bytes,
                image_bytes=record.image_bytes,
                sha256=record.sha256,
                frames_read=record.frames_read,
                quarantined=len(record.quarantined),
                record=record_key(record.key),
            )
            for record in ordered
        ],
    )
    return manifest, table


def without_clip(manifest: Manifest, clip: str, quarantine: Iterable[Quarantined]) -> tuple[Manifest, bytes]:
    """A manifest without one of its clips, and the content of the quarantine table that it names.

    `quarantine` are the rows of the manifest's own table.
    """
    clips = [entry for entry in manifest.clips if entry.clip != clip]
    rows = [row for row in quarantine if row.clip != clip]
    table = _quarantine_table(rows)
    digest = _sha256(table)
    kept = replace(
        manifest,
        frames_read=sum(entry.frames_read for entry in clips),
        rows=sum(entry.rows for entry in clips),
        quarantined=len(rows),
        reasons=dict(sorted(Counter(row.reason for row in rows).items())),
        quarantine=QuarantineTable(f"quarantine-{digest[:12]}.parquet", digest),
        clips=clips,
    )
    return kept, table


def _quarantine_table(quarantined: Iterable[Quarantined]) -> bytes:
    """A Parquet file with one row per quarantined frame; equal rows give equal bytes."""
    import pyarrow as pa  # not needed to read a manifest
    import pyarrow.parquet as pq

    schema = pa.schema([("clip", pa.string()), ("frame", pa.int32()), ("reason", pa.string()), ("where", pa.string())])
    rows = [asdict(row) for row in quarantined]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema), sink)
    return sink.getvalue()


def read_quarantine(content: bytes) -> list[Quarantined]:
    """The rows of a quarantine table."""
    import pyarrow.parquet as pq

    return [Quarantined(**row) for row in pq.read_table(io.BytesIO(content)).to_pylist()]


def to_bytes(manifest: Manifest) -> bytes:
    """The manifest as it is stored; equal manifests give equal bytes."""
    return (json.dumps(asdict(manifest), indent=1) + "\n").encode()


def repair_command(data: str, sources: Iterable[str]) -> str:
    """What to tell a user whose data set is broken: the command that makes the broken clips anew from their sources."""
    commands = [f"jobs/ingest.py --data {shlex.quote(data)} --source {shlex.quote(source)} --repair True" for source in sources]
    return "repair it with " + ", and with ".join(commands)


def rebuild_command(data: str) -> str:
    """What to tell a user whose manifest cannot be read, so that nobody knows the sources and the flags it was made with."""
    command = f"jobs/ingest.py --data {shlex.quote(data)} --source CLIPS --repair True"
    return f"make a new version with {command} and the other flags that it was made with"


def parse_manifest(content: bytes, data: str, cure: str = "") -> Manifest:
    """The manifest in some bytes. `data` names the data set in messages, `cure` tells the user what to do.

    Raises UserError if the content is damaged, of another version or without a single row.
    """
    cure = cure or rebuild_command(data)
    try:
        version = json.loads(content)["schema_version"]
    except (ValueError, LookupError, TypeError, RecursionError):
        version = None  # parse_record says what is wrong
    if type(version) is int and version != SCHEMA_VERSION:
        raise UserError(f"--data is {data!r}: made with schema {version}, this program reads {SCHEMA_VERSION}; {cure}")
    manifest = parse_record(Manifest, content, f"--data is {data!r}: its manifest", cure)
    if not manifest.rows:
        raise UserError(f"--data is {data!r}: its manifest names no frame; {cure}")
    return manifest


def manifest_hash(manifest: Manifest) -> str:
    """SHA-256 of what was ingested and how; the locations of the sources do not count."""
    content = asdict(manifest)
    del content["sources"]
    return _sha256(json.dumps(content, sort_keys=True).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
