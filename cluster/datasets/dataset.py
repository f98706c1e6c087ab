"""One version of a data set on storage, and this node's copy of it."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.datasets.removed import removed_clips
from cluster.storage.local_copy import WrongContent
from cluster.storage.uri import StorageURI
from facegan.cache import cache_folder
from facegan.config import Config
from facegan.data.clip_record import ClipRecord, Quarantined, record_from_json
from facegan.data.manifest import (
    Manifest,
    ManifestClip,
    manifest_hash,
    manifest_key,
    newest_version,
    parse_manifest,
    read_quarantine,
    rebuild_command,
    repair_command,
)
from facegan.errors import UserError
from facegan.study.design.plan import Plan

if TYPE_CHECKING:
    from facegan.data.face_data import FaceData  # imports torch


@dataclass(frozen=True, slots=True)
class DataSet:
    """One version of a data set. It is passed to tasks, each of which opens the copy of its node.

    `sha256` is the hash of the manifest.
    """

    uri: str
    version: int
    sha256: str

    def manifest(self) -> Manifest:
        """The manifest, read from storage. Raises UserError if it is missing, damaged or of another schema."""
        try:
            content = StorageURI(self.uri).read(manifest_key(self.version))
        except FileNotFoundError:
            missing = manifest_key(self.version)
            raise UserError(
                f"--data is {self.uri!r}: {missing} is missing; put the data set back, or {rebuild_command(self.uri)}"
            ) from None
        return parse_manifest(content, self.uri)

    def open(self) -> "FaceData":
        """The data, from this node's copy, which the first process of the node downloads.

        Raises UserError if the data on storage has changed, is damaged or incomplete.
        """
        # Imported here, since torch takes longer to load than a wrong flag may take to be refused.
        from facegan.data.face_data import FaceData
        from facegan.data.local_copy import find_copy, local_copy

        self._check_not_removed()
        copy = find_copy(self.sha256, cache_folder())
        if copy is None:
            manifest = self.manifest()
            if manifest_hash(manifest) != self.sha256:
                raise UserError(f"--data is {self.uri!r}: version {self.version} is not what the study was planned on")
            if StorageURI(self.uri).is_remote:
                size = sum(clip.file_bytes for clip in manifest.clips) / 1e6
                print(f"data     copying {len(manifest.clips)} clips, {size:.0f} MB, from {self.uri}", flush=True)
            cure = repair_command(self.uri, manifest.sources)
            copy = local_copy(manifest, cache_folder(), lambda clip, downloads: self._fetch(clip, downloads, cure))
        return FaceData(copy)

    def _check_not_removed(self) -> None:
        """Also where there is a local copy: a machine outside of the cluster keeps its own when a clip is removed."""
        removed = removed_clips(StorageURI(self.uri))
        gone = sorted(removed & {clip.clip for clip in self.manifest().clips}) if removed else []
        if gone:
            raise UserError(
                f"--data is {self.uri!r}: version {self.version} is gone: clip {', '.join(gone[:5])} was removed for good; "
                f"use the newest version in a new study, --data {self.uri}"
            )

    def quarantine(self) -> list[Quarantined]:
        """The rejected frames. Raises UserError if their table is missing or is not what was written."""
        manifest = self.manifest()
        table, cure = manifest.quarantine, repair_command(self.uri, manifest.sources)
        try:
            content = StorageURI(self.uri).read(table.file)
        except FileNotFoundError:
            raise UserError(f"--data: {self.uri}/{table.file} is missing although the manifest names it; {cure}") from None
        if hashlib.sha256(content).hexdigest() != table.sha256:
            raise UserError(f"--data: {self.uri}/{table.file} is not what was written (its sha256 differs); {cure}")
        return read_quarantine(content)

    def frames_without_face(self) -> dict[str, int]:
        """By clip: the number of frames in which the detector that checked its landmarks found no face; empty if none did.

        Raises UserError if a record is missing or damaged.
        """
        manifest = self.manifest()
        if manifest.ingest.check_landmarks == "none":
            return {}
        return {clip.clip: self._record(clip.record).doubtful for clip in manifest.clips}

    def _record(self, key: str) -> ClipRecord:
        cure = repair_command(self.uri, self.manifest().sources)
        try:
            return record_from_json(StorageURI(self.uri).read(key), f"--data: {self.uri}/{key}", cure)
        except FileNotFoundError:
            raise UserError(f"--data: {self.uri}/{key} is missing although the manifest names it; {cure}") from None

    def _fetch(self, clip: ManifestClip, downloads: Path, cure: str) -> Path:
        from facegan.data.local_copy import checked_file

        location = StorageURI(self.uri)
        if not location.is_remote:
            return checked_file(location.folder, clip, cure)
        local = downloads / Path(clip.file).name
        where = f"--data: clip {clip.clip}: {location}/{clip.file}"
        sizes = {entry.key: entry.size for entry in location.entries(clip.file)}
        if clip.file not in sizes:
            raise UserError(f"{where} is missing although the manifest names it; {cure}")
        if sizes[clip.file] != clip.file_bytes:
            raise UserError(f"{where} has {sizes[clip.file]} bytes, {clip.file_bytes} were ingested; {cure}")
        try:
            location.download(clip.file, local, size=clip.file_bytes, sha256=clip.sha256)
        except WrongContent:
            raise UserError(f"{where} is not the file that was ingested (its sha256 differs); {cure}") from None
        return local

    def to_dict(self) -> dict[str, Any]:
        """The fields, for JSON."""
        return asdict(self)


def planned_data(plan: Plan) -> DataSet:
    """The data set of a study's plan."""
    return DataSet(plan.data.uri, plan.data.version, plan.data.sha256)


def newest_number(location: StorageURI) -> int:
    """The number of the newest version at a location, whether its manifest can be read or not; 0 if there is none."""
    return newest_version(entry.key for entry in location.entries("manifest-"))


def newest(location: StorageURI) -> DataSet | None:
    """The newest version at a location; None if there is no data set. Raises UserError if its manifest is damaged."""
    version = newest_number(location)
    if not version:
        return None
    manifest = parse_manifest(location.read(manifest_key(version)), str(location))
    return DataSet(str(location), version, manifest_hash(manifest))


def existing(location: StorageURI) -> DataSet:
    """The newest version at a location. Raises UserError if there is no data set."""
    location.check()
    found = newest(location)
    if found is None:
        raise UserError(f"--data is {str(location)!r}: no data set (it has no manifest); make one with jobs/ingest.py")
    return found


def check_image_size(manifest: Manifest, config: Config) -> None:
    """Raise UserError unless a data set's images have the size that the configuration trains on."""
    size = manifest.ingest.size
    if size != config.data.size:
        raise UserError(f"--data holds images of {size} pixels, data.size is {config.data.size}: make them equal")
