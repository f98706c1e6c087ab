"""One version of a data set on storage, and this node's copy of it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.datasets.removed import readable_versions, removed_clips
from cluster.storage.local_copy import WrongContent
from cluster.storage.objects import Unreachable
from cluster.storage.patience import when_reachable
from cluster.storage.uri import StorageURI
from facegan.cache import cache_folder
from facegan.config import Config
from facegan.data.versions.clip_table import ManifestClip
from facegan.data.versions.manifest import (
    DamagedManifest,
    Manifest,
    manifest_hash,
    manifest_key,
    newest_version,
    read_manifest,
    rebuild_command,
    repair_command,
)
from facegan.data.versions.quarantine import QuarantineTable
from facegan.data.versions.table_file import checked
from facegan.errors import UserError
from facegan.study.design.plan import Plan

if TYPE_CHECKING:
    from facegan.data.reading.face_data import FaceData  # imports torch


@dataclass(frozen=True, slots=True)
class DataSet:
    """One version of a data set. It is passed to tasks, each of which opens the copy of its node.

    `sha256` is the hash of the manifest.
    """

    uri: str
    version: int
    sha256: str

    def manifest(self) -> Manifest:
        """The manifest, read from storage; if it is missing or damaged, that of another version of the same content.

        So a study goes on after a repair has replaced its manifest. Raises UserError if there is none.
        """
        try:
            return read_manifest(StorageURI(self.uri).read, manifest_key(self.version), self.uri)
        except FileNotFoundError:
            reason = self._missing()
        except DamagedManifest as damage:
            reason = damage
        location = StorageURI(self.uri)
        for other in readable_versions(location, newest_number(location)).values():
            if manifest_hash(other) == self.sha256:
                return other
        raise reason

    def _missing(self) -> UserError:
        newest, missing = newest_number(StorageURI(self.uri)), manifest_key(self.version)
        if newest > self.version:
            return UserError(
                f"data set {self.uri!r}: version {self.version} is gone ({missing} was deleted); use version {newest} in a new "
                f"study, --data {self.uri}"
            )
        return UserError(f"data set {self.uri!r}: {missing} is missing; put the data set back, or {rebuild_command(self.uri)}")

    def open(self) -> "FaceData":
        """The data, from this node's copy, which the first process of the node downloads, or from the clips that it keeps.

        A server that does not answer is waited for, now and when clips are fetched later. Raises UserError if the data on
        storage has changed, is damaged or incomplete.
        """
        return when_reachable(self._open)

    def _open(self) -> "FaceData":
        # Imported here, since torch takes longer to load than a wrong flag may take to be refused.
        from facegan.data.reading.face_data import FaceData, fits, open_version
        from facegan.data.reading.local_copy import find_copy

        self.check_not_removed()
        copy = find_copy(self.sha256, cache_folder())
        if copy is not None:
            return FaceData.of_copy(copy)
        manifest = self.manifest()
        if manifest_hash(manifest) != self.sha256:
            raise UserError(f"data set {self.uri!r}: version {self.version} is not what the study was planned on")
        remote = StorageURI(self.uri).is_remote
        about = f"{len(manifest.clips)} clips, {manifest.clips.total('file_bytes') / 1e6:.0f} MB, from {self.uri}"
        later = not fits(manifest, downloads=remote)
        if later:
            print(f"data     fetching clips when they are needed, since FACEGAN_CACHE_GB is too small: {about}", flush=True)
        elif remote:
            print(f"data     copying {about}", flush=True)
        cure = repair_command(self.uri, manifest.sources)

        def fetch(clip: ManifestClip, downloads: Path) -> Path:
            return self._fetch(clip, downloads, cure)

        def patient_fetch(clip: ManifestClip, downloads: Path) -> Path:
            return when_reachable(lambda: fetch(clip, downloads))

        return open_version(manifest, patient_fetch if later else fetch, downloads=remote)

    def check_not_removed(self) -> None:
        """Raise UserError if a clip of this version was removed for good.

        Also where there is a local copy: a machine outside of the cluster keeps its own when a clip is removed.
        """
        removed = removed_clips(StorageURI(self.uri))
        gone = sorted(removed & set(self.manifest().clips.texts("clip"))) if removed else []
        if gone:
            raise UserError(
                f"data set {self.uri!r}: version {self.version} is gone: clip {', '.join(gone[:5])} was removed for good; "
                f"use the newest version in a new study, --data {self.uri}"
            )

    def why_gone(self) -> str:
        """Why no new process can open this version, in one line; empty if one can.

        Reads little: a listing of removed clips, and the manifest if there are some or if it is missing. Raises Unreachable if
        the server does not answer.
        """
        try:
            self.check_not_removed()
            if not StorageURI(self.uri).exists(manifest_key(self.version)):
                self.manifest()
        except Unreachable:
            raise
        except UserError as reason:
            return str(reason)
        return ""

    def quarantine(self) -> QuarantineTable:
        """The rejected frames. Raises UserError if their table is missing or is not what was written."""
        manifest = self.manifest()
        table, cure = manifest.quarantine, repair_command(self.uri, manifest.sources)
        try:
            content = StorageURI(self.uri).read(table.file)
        except FileNotFoundError:
            raise UserError(f"data set: {self.uri}/{table.file} is missing although the manifest names it; {cure}") from None
        try:
            return QuarantineTable(checked(content, table))
        except UserError as damage:
            raise UserError(f"data set: {self.uri}/{table.file} is damaged: {damage}; {cure}") from None

    def frames_without_face(self) -> dict[str, int]:
        """By clip: the number of frames in which the detector that checked its landmarks found no face; empty if none did."""
        manifest = self.manifest()
        if manifest.ingest.check_landmarks == "none":
            return {}
        return dict(zip(manifest.clips.texts("clip"), manifest.clips.numbers("doubtful").tolist(), strict=True))

    def _fetch(self, clip: ManifestClip, downloads: Path, cure: str) -> Path:
        from facegan.data.reading.clip_files import checked_file

        location = StorageURI(self.uri)
        if not location.is_remote:
            return checked_file(location.folder, clip, cure)
        local = downloads / Path(clip.file).name
        where = f"data set: clip {clip.clip}: {location}/{clip.file}"
        try:
            location.download(clip.file, local, size=clip.file_bytes, sha256=clip.sha256)
        except FileNotFoundError:
            raise UserError(f"{where} is missing although the manifest names it; {cure}") from None
        except Unreachable:
            raise
        except UserError as refused:
            # Only now, since each request to a server costs time.
            sizes = {entry.key: entry.size for entry in location.entries(clip.file)}
            if sizes.get(clip.file, clip.file_bytes) != clip.file_bytes:
                raise UserError(f"{where} has {sizes[clip.file]} bytes, {clip.file_bytes} were ingested; {cure}") from None
            if isinstance(refused, WrongContent):
                raise UserError(f"{where} is not the file that was ingested (its sha256 differs); {cure}") from None
            raise
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
    manifest = read_manifest(location.read, manifest_key(version), str(location))
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
