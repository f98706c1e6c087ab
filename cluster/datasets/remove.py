"""Remove a clip from a data set for good, such as when a person has withdrawn consent."""

import os

from cluster.datasets.dataset import DataSet, newest_number
from cluster.datasets.removed import files_of_clip, mark_removed, readable_versions, removed_clips, version_lines
from cluster.storage.leftovers import sweep_partials
from cluster.storage.objects import AlreadyThere
from cluster.storage.uri import StorageURI
from facegan.data.versions.manifest import Manifest, manifest_hash, manifest_key, read_manifest, to_bytes, without_clip
from facegan.errors import UserError, did_you_mean


def remove_clip(data: StorageURI, clip: str) -> None:
    """Write a version without the clip, then delete the clip's files and the local copies of versions that hold it.

    Copies are deleted on this machine and, inside a Ray cluster, on every node. Running it again completes it. Raises UserError
    if there is no such clip, if it is the only one, or if the newest version is broken.
    """
    data.check()
    number = newest_number(data)
    if not number:
        raise UserError(f"--data is {str(data)!r}: no data set (it has no manifest); make one with jobs/ingest.py")
    newest = read_manifest(data.read, manifest_key(number), str(data))
    versions = readable_versions(data, number)
    _check_clip(clip, newest, versions, data)
    mark_removed(data, clip)  # first, so that no ingest that runs beside this brings it back
    made = _publish_without(data, clip)
    holding = [manifest for manifest in versions.values() if _holds(manifest, clip)]
    files = files_of_clip(data, clip)
    for key in files:
        data.remove(key)
    sweep_partials(data)
    parquet = {entry.file for manifest in holding for entry in manifest.clips if entry.clip == clip and entry.file}
    hashes = [manifest_hash(manifest) for manifest in holding]
    copies = _remove_copies(hashes, sorted(parquet | {key for key in files if key.endswith(".parquet")}))
    manifest = made.manifest()
    print(f"removed  clip {clip}: {len(files)} files on storage; local copies: {copies}")
    print(f"data     {data}: version {made.version}, {manifest.rows} frames of {len(manifest.clips)} clips")
    for line in version_lines(data, made.version):
        print(f"         {line}")
    print("         not touched: the clip's files in its source, and pictures and checkpoints of studies", flush=True)


def _holds(manifest: Manifest, clip: str) -> bool:
    return clip in manifest.clips.texts("clip")


def _check_clip(clip: str, newest: Manifest, versions: dict[int, Manifest], data: StorageURI) -> None:
    names = {name for manifest in versions.values() for name in manifest.clips.texts("clip")}
    if clip not in names | removed_clips(data) and ("/" in clip or not files_of_clip(data, clip)):
        raise UserError(f"--remove is {clip!r}: no version of {data} has this clip; {did_you_mean(clip, sorted(names))}")
    if not any(entry.rows for entry in newest.clips if entry.clip != clip):
        raise UserError(f"--remove is {clip!r}: no other clip has frames; delete {data} and the local copies in FACEGAN_CACHE")


def _publish_without(data: StorageURI, clip: str) -> DataSet:
    """The newest version, if it lacks the clip; otherwise the next one, written without it."""
    while True:
        number = newest_number(data)
        before = read_manifest(data.read, manifest_key(number), str(data))
        made = DataSet(str(data), number, manifest_hash(before))
        if not _holds(before, clip):
            return made
        manifest, tables = without_clip(before, clip, made.quarantine())
        for key, content in tables.items():
            data.write(key, content)
        try:
            data.write(manifest_key(number + 1), to_bytes(manifest), only_if_absent=True)
        except AlreadyThere:
            continue  # another job wrote a version in between
        return DataSet(str(data), number + 1, manifest_hash(manifest))


def _remove_copies(hashes: list[str], files: list[str]) -> str:
    """Delete local copies here and on the nodes of the cluster that this job runs in; returns what to print."""
    from facegan.data.reading.cached_copies import remove_copies

    here = f"{remove_copies(hashes, files)} on this machine"
    if "RAY_ADDRESS" not in os.environ:
        return f"{here} (outside of a Ray cluster, other machines keep theirs)"
    from cluster.runtime.nodes import on_other_nodes
    from cluster.runtime.start import start_ray

    start_ray()
    answers = on_other_nodes(remove_copies, hashes, files)
    return ", ".join([here, *(f"{count} on node {address}" for address, count in answers)])
