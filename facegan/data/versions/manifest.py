"""The manifests of a data set: one file a version, never changed once written. The highest version is the current one.

manifest-000001.json        what version 1 was made from and how, its totals, and the names of its two tables
clips-<hash>.parquet        its clips (`facegan.data.versions.clip_table`)
quarantine-<hash>.parquet   clip, frame, reason and file of every frame that was read but not written
clips/<clip>-<hash>.parquet crops and landmarks of a clip
clips/<clip>-<hash>.json    the clip's record (`ClipRecord`), which an ingest that was stopped goes on from; no reader needs it

The hash of a manifest names the data in plans and results. This module imports PyArrow only where a table is read or written.
"""

import hashlib
import json
import re
import shlex
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass

from facegan.data.ingest.clip_record import ClipRecord
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.listing import IngestedSource
from facegan.data.versions.clip_table import ClipTable
from facegan.data.versions.quarantine import QuarantineTable
from facegan.data.versions.table_file import TableFile, checked
from facegan.errors import UserError
from facegan.records import from_json, parse_record

SCHEMA_VERSION = 5
"""Version of the manifests and of their tables. Clips have one of their own, so that they need not be made again."""

_MANIFEST_NAME = re.compile(r"manifest-(\d{6})\.json")

ReadFile = Callable[[str], bytes]
"""From a path inside a data set to the file's content; raises FileNotFoundError if there is none."""


class DamagedManifest(UserError):
    """A manifest, or the clip table that it names, is damaged, missing or of another version."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One version of a data set, in memory.

    `sources` has what was found at the location of each source; `reasons` counts the quarantined frames by reason.
    """

    synthetic: bool
    sources: dict[str, IngestedSource]
    ingest: IngestConfig
    reasons: dict[str, int]
    quarantine: TableFile
    clips: ClipTable

    @property
    def frames_read(self) -> int:
        """Number of frames that were read: those written and those quarantined."""
        return self.clips.total("frames_read")

    @property
    def rows(self) -> int:
        """Number of frames that were written."""
        return self.clips.total("rows")

    @property
    def quarantined(self) -> int:
        """Number of frames that were read but not written."""
        return self.quarantine.rows


@dataclass(frozen=True, slots=True)
class _ManifestFile:
    """A manifest as it is stored. Raises UserError if the counts do not add up."""

    schema_version: int
    synthetic: bool
    sources: dict[str, IngestedSource]
    ingest: IngestConfig
    frames_read: int
    rows: int
    quarantined: int
    reasons: dict[str, int]
    quarantine: TableFile
    clips: TableFile

    def __post_init__(self) -> None:
        by_reason = sum(self.reasons.values())
        if self.frames_read != self.rows + self.quarantined or not self.quarantined == by_reason == self.quarantine.rows:
            raise UserError(f"frames_read is {self.frames_read}: rows and quarantined frames, by reason, must add up to it")


def manifest_key(version: int) -> str:
    """The file name of a version's manifest."""
    return f"manifest-{version:06d}.json"


def newest_version(keys: Iterable[str]) -> int:
    """The highest version among file names; 0 if there is no manifest."""
    return max((int(found[1]) for key in keys if (found := _MANIFEST_NAME.fullmatch(key))), default=0)


def make_manifest(
    records: Collection[ClipRecord],
    config: IngestConfig,
    *,
    synthetic: bool,
    sources: dict[str, IngestedSource],
    before: tuple[ClipTable, QuarantineTable] | None = None,
) -> tuple[Manifest, dict[str, bytes]]:
    """A manifest of some clips, and the content of each file that it names.

    `before` are the tables of a version whose clips are kept, except those that are among the records.
    """
    if before:
        clips, quarantine = before[0].updated(records), before[1].updated(records)
    else:
        clips, quarantine = ClipTable.of_records(records), QuarantineTable.of_records(records)
    # As it will be read again: 2 becomes 2.0, which changes the hash.
    config = from_json(IngestConfig, asdict(config))
    return _made(clips, quarantine, config, synthetic, sources)


def without_clip(manifest: Manifest, clip: str, quarantine: QuarantineTable) -> tuple[Manifest, dict[str, bytes]]:
    """A manifest without one of its clips, and the content of each file that it names.

    `quarantine` is the manifest's own table.
    """
    kept = manifest.clips.without({clip}), quarantine.without({clip})
    return _made(*kept, manifest.ingest, manifest.synthetic, manifest.sources)


def _made(
    clips: ClipTable, quarantine: QuarantineTable, config: IngestConfig, synthetic: bool, sources: dict[str, IngestedSource]
) -> tuple[Manifest, dict[str, bytes]]:
    manifest = Manifest(synthetic, sources, config, quarantine.reasons(), quarantine.file, clips)
    if manifest.frames_read != manifest.rows + manifest.quarantined:
        raise UserError(f"frames_read is {manifest.frames_read}: rows and quarantined frames must add up to it")
    return manifest, {quarantine.file.file: quarantine.content, clips.file.file: clips.content}


def to_bytes(manifest: Manifest) -> bytes:
    """The manifest as it is stored; equal manifests give equal bytes."""
    return (json.dumps(asdict(_file_of(manifest)), indent=1) + "\n").encode()


def _file_of(manifest: Manifest) -> _ManifestFile:
    return _ManifestFile(
        schema_version=SCHEMA_VERSION,
        synthetic=manifest.synthetic,
        sources=manifest.sources,
        ingest=manifest.ingest,
        frames_read=manifest.frames_read,
        rows=manifest.rows,
        quarantined=manifest.quarantined,
        reasons=manifest.reasons,
        quarantine=manifest.quarantine,
        clips=manifest.clips.file,
    )


def repair_command(data: str, sources: Iterable[str]) -> str:
    """What to tell a user whose data set is broken: the command that makes the broken clips anew from their sources."""
    return "repair it with " + _repairs(data, sources)


def rebuild_command(data: str, sources: Iterable[str] = ("CLIPS",)) -> str:
    """What to tell a user whose manifest cannot be read, so that nobody knows the flags, nor mostly the sources."""
    return f"make a new version with {_repairs(data, sources)}, and the other flags that it was made with"


def _repairs(data: str, sources: Iterable[str]) -> str:
    commands = [f"jobs/ingest.py --data {shlex.quote(data)} --source {shlex.quote(source)} --repair True" for source in sources]
    return ", and with ".join(commands)


def read_manifest(read: ReadFile, key: str, data: str, cure: str = "") -> Manifest:
    """The manifest in the file `key`. `data` names the data set in messages, `cure` tells the user what to do.

    Raises FileNotFoundError if there is no such file, and DamagedManifest if its content or its clip table is damaged, of
    another version or without a single row. Errors of `read` pass.
    """
    found = _parsed(read(key), data, cure or rebuild_command(data))
    cure = cure or rebuild_command(data, found.sources or ("CLIPS",))
    where = f"data set {data!r}: its clip table {found.clips.file}"
    try:
        content = read(found.clips.file)
    except FileNotFoundError:
        raise DamagedManifest(f"{where} is missing; {cure}") from None
    try:
        clips = ClipTable(checked(content, found.clips))
    except UserError as reason:
        raise DamagedManifest(f"{where} is damaged: {reason}; {cure}") from None
    made = Manifest(found.synthetic, found.sources, found.ingest, found.reasons, found.quarantine, clips)
    if (made.frames_read, made.rows, clips.file) != (found.frames_read, found.rows, found.clips):
        raise DamagedManifest(
            f"data set {data!r}: its manifest is damaged: it has {found.frames_read} frames read and {found.rows} rows of "
            f"{found.clips.rows} clips, its clip table {made.frames_read} and {made.rows} of {len(clips)}; {cure}"
        )
    return made


def _parsed(content: bytes, data: str, cure: str) -> _ManifestFile:
    try:
        version = json.loads(content)["schema_version"]
    except (ValueError, LookupError, TypeError, RecursionError):
        version = None  # parse_record says what is wrong
    if type(version) is int and version != SCHEMA_VERSION:
        raise DamagedManifest(f"data set {data!r}: made with schema {version}, this program reads {SCHEMA_VERSION}; {cure}")
    try:
        found = parse_record(_ManifestFile, content, f"data set {data!r}: its manifest", cure)
    except UserError as damage:
        raise DamagedManifest(str(damage)) from None
    if not found.rows:
        raise DamagedManifest(f"data set {data!r}: its manifest names no frame; {cure}")
    return found


def manifest_hash(manifest: Manifest) -> str:
    """SHA-256 of what was ingested and how; the locations of the sources do not count."""
    content = asdict(_file_of(manifest))
    del content["sources"]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
