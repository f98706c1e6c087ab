"""Writing the next version of a data set, while other jobs may write versions of it too."""

from cluster.datasets.dataset import DataSet, newest_number
from cluster.datasets.ingest_request import IngestRequest
from cluster.datasets.removed import files_of_clip, removed_clips
from cluster.datasets.source import is_rendered
from cluster.storage.objects import AlreadyThere, Unreachable
from cluster.storage.uri import StorageURI
from facegan.data.ingest.clip_record import ClipRecord, record_from_json, record_key
from facegan.data.ingest.listing import IngestedSource, Refused
from facegan.data.ingest.sources import FoundClips, fingerprint
from facegan.data.versions.clip_table import ClipTable, ManifestClip
from facegan.data.versions.manifest import (
    DamagedManifest,
    Manifest,
    make_manifest,
    manifest_hash,
    manifest_key,
    read_manifest,
    to_bytes,
)
from facegan.data.versions.quarantine import QuarantineTable
from facegan.errors import UserError

_ATTEMPTS = 20
"""Attempts to write the next version while other jobs write versions of the same data set."""


def publish(
    records: list[ClipRecord], clips: FoundClips, source: StorageURI, data: StorageURI, request: IngestRequest
) -> DataSet:
    """Write the next version: the clips of the newest one and these. If another job was faster, build on its version.

    Returns the newest version, and writes none, if it holds the same clips already and the same was left out.
    """
    synthetic = is_rendered(source)
    records = _without_removed(records, data)
    for _ in range(_ATTEMPTS):
        number = newest_number(data)
        found = read_version(data, number, request)
        # Clips of another configuration, which `replace` allows, are not carried over.
        before = found if found and found.ingest == request.config else None
        tables_before = _tables_of(before, number, records, data, request) if before else None
        if before and tables_before and before.synthetic != synthetic:
            raise UserError(f"--data is {str(data)!r}: rendered and real people would be mixed; name another place")
        sources = {**(before.sources if before else {}), str(source): ingested(clips)}
        manifest, tables = make_manifest(records, request.config, synthetic=synthetic, sources=sources, before=tables_before)
        same = found is not None and manifest_hash(found) == manifest_hash(manifest)
        if not same or request.repair:
            for key, content in tables.items():
                data.write(key, content)
        if found and same and _left_out(found) == _left_out(manifest):
            return DataSet(str(data), number, manifest_hash(manifest))
        try:
            data.write(manifest_key(number + 1), to_bytes(manifest), only_if_absent=True)
        except AlreadyThere:
            continue
        return DataSet(str(data), number + 1, manifest_hash(manifest))
    raise UserError(f"--data is {str(data)!r}: {_ATTEMPTS} other writers came in between; run it again when they are done")


def _without_removed(records: list[ClipRecord], data: StorageURI) -> list[ClipRecord]:
    """The records of clips that were not removed while this job ran; the files of those that were are deleted."""
    gone = removed_clips(data)
    for record in records:
        for key in files_of_clip(data, record.clip) if record.clip in gone else ():
            data.remove(key)
    return [record for record in records if record.clip not in gone]


def ingested(found: FoundClips) -> IngestedSource:
    """What the manifest keeps about a source."""
    return IngestedSource(fingerprint(found), len(found.clips), found.refused)


def _left_out(manifest: Manifest) -> set[Refused]:
    return {one for source in manifest.sources.values() for one in source.refused}


def read_version(data: StorageURI, number: int, request: IngestRequest) -> Manifest | None:
    """The manifest of a version; None if there is none, or if it cannot be read and `request.repair` is True."""
    if not number:
        return None
    try:
        return read_manifest(data.read, manifest_key(number), str(data))
    except DamagedManifest:
        if request.repair:
            return None
        raise


def _tables_of(
    before: Manifest, number: int, records: list[ClipRecord], data: StorageURI, request: IngestRequest
) -> tuple[ClipTable, QuarantineTable] | None:
    """The tables of a version; None if each of its clips is among `records`.

    Raises UserError if a clip in both has other files now, unless `request.replace` is True, or if the quarantine table is
    broken. A repair makes it again from the records of the clips.
    """
    mine = {record.clip: record.source_sha256 for record in records}
    in_both = before.clips.sources_of(mine)
    changed = [clip for clip, sha256 in in_both.items() if mine[clip] != sha256]
    if changed and not request.replace:
        raise UserError(
            f"--data is {str(data)!r}: clip {', '.join(changed[:5])} has changed since it was ingested; name another place, or "
            f"make a new version with {request.flags}replace True"
        )
    if len(in_both) == len(before.clips):
        return None  # so that a broken quarantine table can be repaired
    try:
        return before.clips, DataSet(str(data), number, manifest_hash(before)).quarantine()
    except UserError:
        others = _records_of([clip for clip in before.clips if clip.clip not in mine], data) if request.repair else None
        if others is None:
            raise
        return before.clips, QuarantineTable.of_records(others)


def _records_of(clips: list[ManifestClip], data: StorageURI) -> list[ClipRecord] | None:
    """The records of clips of other sources, which name their rejected frames; None if one of them is lost or damaged."""
    found = []
    for clip in clips:
        try:
            record = record_from_json(data.read(record_key(clip.key)), record_key(clip.key), "it is written again")
        except Unreachable:
            raise
        except (FileNotFoundError, UserError):
            return None
        if (record.key, len(record.quarantined)) != (clip.key, clip.quarantined):
            return None
        found.append(record)
    return found
