"""A data set on storage: which version of it a study uses, and this node's copy of that."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.storage.uri import StorageURI
from facegan.cache import cache_folder
from facegan.config import Config
from facegan.data.local_copy import checked_file, find_copy, local_copy
from facegan.data.manifest import Manifest, ManifestClip, manifest_hash, manifest_key, newest_version, parse_manifest
from facegan.errors import UserError
from facegan.study.design.plan import Plan

if TYPE_CHECKING:
    from facegan.data.face_data import FaceData


@dataclass(frozen=True, slots=True)
class DataSet:
    """One version of a data set; it travels into tasks, each of which opens its node's copy. `sha256` is the manifest's."""

    uri: str
    version: int
    sha256: str

    def manifest(self) -> Manifest:
        """The manifest as it lies on storage."""
        return parse_manifest(StorageURI(self.uri).read(manifest_key(self.version)), self.uri)

    def open(self) -> "FaceData":
        """The data, by way of the node's copy: downloaded once, by whoever comes first."""
        from facegan.data.face_data import FaceData  # it imports torch, which refusing a wrong --data must not wait for

        cache = cache_folder()
        return FaceData(find_copy(self.sha256, cache) or self._copy(cache))

    def _copy(self, cache: Path) -> Path:
        manifest = self.manifest()
        if manifest_hash(manifest) != self.sha256:
            raise UserError(f"--data is {self.uri!r}: version {self.version} is not what the study was planned on")
        return local_copy(manifest, cache, self._fetch)

    def _fetch(self, clip: ManifestClip, downloads: Path) -> Path:
        place = StorageURI(self.uri)
        if not place.is_remote:
            return checked_file(place.folder, clip)
        local = downloads / Path(clip.file).name
        try:
            place.download(clip.file, local, size=clip.file_bytes, sha256=clip.sha256)
        except FileNotFoundError:
            missing = f"{place}/{clip.file}"
            raise UserError(f"--data: {missing} is missing although the manifest names it; ingest it anew") from None
        return local

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a plan."""
        return asdict(self)


def planned_data(plan: Plan) -> DataSet:
    """What a study was planned on."""
    return DataSet(plan.data.uri, plan.data.version, plan.data.sha256)


def newest(place: StorageURI) -> DataSet | None:
    """The newest version at a place, or None where there is no data set."""
    version = newest_version(entry.key for entry in place.entries("manifest-"))
    if not version:
        return None
    manifest = parse_manifest(place.read(manifest_key(version)), str(place))
    return DataSet(str(place), version, manifest_hash(manifest))


def existing(place: StorageURI) -> DataSet:
    """The newest version; a UserError where the place holds none."""
    place.check()
    found = newest(place)
    if found is None:
        raise UserError(f"--data is {str(place)!r}: no data set (it has no manifest); make one with jobs/ingest.py")
    return found


def check_image_size(manifest: Manifest, config: Config) -> None:
    """Raise UserError unless a data set's images have the size that the configuration trains on."""
    size = manifest.ingest.size
    if size != config.data.size:
        raise UserError(f"--data holds images of {size} pixels, data.size is {config.data.size}: make them equal")
