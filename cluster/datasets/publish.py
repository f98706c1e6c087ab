"""Writing the next version of a data set, while other jobs may write versions of it too."""

from cluster.datasets.dataset import DataSet, newest_number
from cluster.datasets.ingest_request import IngestRequest
from cluster.datasets.removed import files_of_clip, removed_clips
from cluster.datasets.source import is_rendered
from cluster.storage.objects import AlreadyThere
from cluster.storage.uri import StorageURI
from facegan.data.clip_record import ClipRecord, record_from_json
from facegan.data.listing import IngestedSource, Refused
from facegan.data.manifest import (
    Manifest,
    make_manifest,
    manifest_hash,
    manifest_key,
    parse_manifest,
    repair_command,
    to_bytes,
)
from facegan.data.sources import FoundClips, fingerprint
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
        kept = _other_records(before, records, data, request) if before else []
        if before and kept and before.synthetic != synthetic:
            raise UserError(f"--data is {str(data)!r}: rendered and real people would be mixed; name another place")
        sources = {**(before.sources if before else {}), str(source): ingested(clips)}
        manifest, table = make_manifest([*kept, *records], request.config, synthetic=synthetic, sources=sources)
        same = found is not None and manifest_hash(found) == manifest_hash(manifest)
        if not same or request.repair:
            data.write(manifest.quarantine.file, table)
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
    content = data.read(manifest_key(number))  # storage that cannot be read is no damage
    try:
        return parse_manifest(content, str(data))
    except UserError:
        if request.repair:
            return None
        raise


def _other_records(before: Manifest, records: list[ClipRecord], data: StorageURI, request: IngestRequest) -> list[ClipRecord]:
    """The records of the clips that are in a version and not among `records`.

    Raises UserError if a clip in both has other files now, unless `request.replace` is True, or if a record is broken.
    """
    mine = {record.clip: record for record in records}
    changed = [c.clip for c in before.clips if c.clip in mine and c.source_sha256 != mine[c.clip].source_sha256]
    if changed and not request.replace:
        raise UserError(
            f"--data is {str(data)!r}: clip {', '.join(changed[:5])} has changed since it was ingested; name another place, or "
            f"make a new version with {request.flags}replace True"
        )
    cure = repair_command(str(data), before.sources)
    return [_read_record(data, c.clip, c.record, cure) for c in before.clips if c.clip not in mine]


def _read_record(data: StorageURI, clip: str, key: str, cure: str) -> ClipRecord:
    where = f"--data: clip {clip}: {data}/{key}"
    try:
        return record_from_json(data.read(key), where, cure)
    except FileNotFoundError:
        raise UserError(f"{where} is missing although the manifest names it; {cure}") from None
