"""The manifests of a data set: numbered, never changed; the highest is the data set. Its hash names the data in every result.

manifest-000001.json        what is in version 1, and how it was made
clips/<clip>-<hash>.parquet crops and landmarks          clips/<clip>-<hash>.json   what became of each frame
quarantine-<hash>.parquet   clip, frame, reason, where of every frame that was read and not written
"""

import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from facegan.data.ingest_config import IngestConfig
from facegan.data.shards import SCHEMA_VERSION, ClipRecord
from facegan.errors import UserError

CLIPS = "clips"
_NAME = re.compile(r"manifest-(\d{6})\.json")
_KEYS = {"synthetic", "sources", "ingest", "frames_read", "rows", "quarantined", "quarantine", "clips"}
_CLIP_KEYS = {"clip", "split", "category", "file", "record", "rows", "file_bytes", "sha256"}
_QUARANTINE = pa.schema([("clip", pa.string()), ("frame", pa.int32()), ("reason", pa.string()), ("where", pa.string())])


def manifest_key(version: int) -> str:
    """The name of a version's manifest."""
    return f"manifest-{version:06d}.json"


def newest_version(keys: Iterable[str]) -> int:
    """The highest version among the names of files; 0 where there is no manifest."""
    return max((int(found[1]) for key in keys if (found := _NAME.fullmatch(key))), default=0)


def make_manifest(
    records: Iterable[ClipRecord], config: IngestConfig, *, synthetic: bool, sources: dict[str, str]
) -> tuple[dict[str, Any], bytes]:
    """A manifest over clips, and the quarantine table that it names. Checks that the counts add up."""
    ordered = sorted(records, key=lambda record: record.clip)
    table = quarantine_table(ordered)
    manifest: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "synthetic": synthetic,
        "sources": sources,
        "ingest": asdict(config),
        "frames_read": sum(record.frames_read for record in ordered),
        "rows": sum(record.rows for record in ordered),
        "quarantined": sum(len(record.quarantined) for record in ordered),
        "reasons": dict(sorted(Counter(row.reason for record in ordered for row in record.quarantined).items())),
        "quarantine": {"file": f"quarantine-{_sha256(table)[:12]}.parquet", "sha256": _sha256(table)},
        "clips": [_clip_entry(record) for record in ordered],
    }
    assert manifest["frames_read"] == manifest["rows"] + manifest["quarantined"], "frames were lost"
    return manifest, table


def _clip_entry(record: ClipRecord) -> dict[str, Any]:
    entry = asdict(record) | {"quarantined": len(record.quarantined), "record": record_key(record.key)}
    return {"file": file_key(record.key) if record.rows else ""} | {k: v for k, v in entry.items() if k != "key"}


def file_key(clip_key: str) -> str:
    """Where the rows of a clip lie."""
    return f"{CLIPS}/{clip_key}.parquet"


def record_key(clip_key: str) -> str:
    """Where the record of a clip lies."""
    return f"{CLIPS}/{clip_key}.json"


def quarantine_table(records: Iterable[ClipRecord]) -> bytes:
    """A Parquet file with a row a quarantined frame; equal records give equal bytes."""
    rows = [asdict(row) for record in records for row in record.quarantined]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, _QUARANTINE), sink)
    return sink.getvalue()


def to_bytes(manifest: dict[str, Any]) -> bytes:
    """What is stored; equal manifests give equal bytes."""
    return (json.dumps(manifest, indent=1) + "\n").encode()


def parse_manifest(content: bytes, data: str) -> dict[str, Any]:
    """A manifest that can be trusted to be one; a UserError names the data set and what is wrong with it."""
    try:
        manifest: dict[str, Any] = json.loads(content)
        version = manifest["schema_version"]
        complete = version != SCHEMA_VERSION or (
            set(manifest) >= _KEYS
            and all(
                set(clip) >= _CLIP_KEYS and _is_plain(clip["file"]) and _is_plain(clip["record"]) for clip in manifest["clips"]
            )
            and bool(IngestConfig(**manifest["ingest"]))
        )
    except (ValueError, KeyError, TypeError):
        raise UserError(f"--data is {data!r}: its manifest is damaged; ingest it anew with jobs/ingest.py") from None
    if version != SCHEMA_VERSION:
        raise UserError(f"--data is {data!r}: made with schema {version}, this program reads {SCHEMA_VERSION}; ingest it anew")
    if not complete or not manifest["rows"]:
        raise UserError(f"--data is {data!r}: its manifest is incomplete or names no frame; ingest it anew")
    return manifest


def _is_entry(clip: dict[str, Any]) -> bool:
    return set(clip) >= _CLIP_KEYS and _is_plain(clip["file"]) and _is_plain(clip["record"])


def _is_plain(file: str) -> bool:
    """Whether a file's name stays inside the data set."""
    return not file or bool(re.fullmatch(rf"{CLIPS}/[^/\\]+\.(parquet|json)", file))


def manifest_hash(manifest: dict[str, Any]) -> str:
    """Names the data: what was ingested and how, not where it lay."""
    return _sha256(json.dumps({k: v for k, v in manifest.items() if k != "sources"}, sort_keys=True).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
