"""Which clips were removed from a data set for good: one object for each, so that no later ingest brings them back."""

import re

from cluster.storage.objects import Unreachable
from cluster.storage.uri import StorageURI
from facegan.data.ingest.clip_record import CLIPS
from facegan.data.ingest.listing import Refused
from facegan.data.ingest.sources import FoundClips
from facegan.data.versions.manifest import Manifest, manifest_key, read_manifest
from facegan.errors import UserError

_FOLDER = "removed"
REMOVED = "it was removed from this data set with --remove"


def mark_removed(data: StorageURI, clip: str) -> None:
    """Note that a clip must not come back. To allow it again, delete the object `removed/<clip>` of the data set."""
    data.write(f"{_FOLDER}/{clip}", b"")


def removed_clips(data: StorageURI) -> set[str]:
    """The clips that were removed."""
    return {entry.key.removeprefix(f"{_FOLDER}/") for entry in data.entries(f"{_FOLDER}/")}


def without_removed(found: FoundClips, data: StorageURI) -> FoundClips:
    """The clips of a source; those that were removed from the data set count as refused."""
    gone = removed_clips(data)
    refused = [Refused(clip.clip, REMOVED, clip=True) for clip in found.clips if clip.clip in gone]
    return FoundClips([clip for clip in found.clips if clip.clip not in gone], [*found.refused, *refused])


def readable_versions(data: StorageURI, newest: int) -> dict[int, Manifest]:
    """The manifests of versions 1 to `newest` that can be read."""
    found = {}
    for version in range(1, newest + 1):
        try:
            found[version] = read_manifest(data.read, manifest_key(version), str(data))
        except Unreachable:
            raise  # no damage: the version may be there
        except (FileNotFoundError, UserError):
            continue  # damaged or of another schema, which `version_lines` reports
    return found


def version_lines(data: StorageURI, newest: int) -> list[str]:
    """For the console: which older versions are gone, because they held clips that were removed since.

    A version whose manifest is not there was pruned, and is not named.
    """
    gone, versions, lines = removed_clips(data), readable_versions(data, newest), []
    there = {entry.key for entry in data.entries("manifest-")}
    for version in range(1, newest):
        if version not in versions and manifest_key(version) in there:
            lines.append(f"version {version} cannot be checked: its manifest cannot be read")
        elif version not in versions:
            continue
        elif held := sorted(gone.intersection(versions[version].clips.texts("clip"))):
            lines.append(f"version {version} is gone: it held {', '.join(held)}")
    return lines


def files_of_clip(data: StorageURI, clip: str) -> list[str]:
    """All files of a clip in a data set, of any version and configuration."""
    name = re.compile(rf"{CLIPS}/{re.escape(clip)}-[0-9a-f]{{12}}\.(parquet|json|sha256)")
    return [entry.key for entry in data.entries(f"{CLIPS}/{clip}-") if name.fullmatch(entry.key)]
