"""The versions of a data set: list them, and delete the old ones with the files that only they name."""

from cluster.datasets.dataset import existing
from cluster.datasets.removed import readable_versions, removed_clips
from cluster.storage.uri import StorageURI
from facegan.data.ingest.clip_record import record_key
from facegan.data.versions.manifest import Manifest, manifest_key
from facegan.report.formatting import counted

_SHOWN_BYTES = 50_000
"""Fewer are 0.0 MB."""


def list_versions(data: StorageURI) -> None:
    """Print a line for each version of a data set: its frames, and what of its size the newest version does not need."""
    newest = existing(data)
    versions, gone = readable_versions(data, newest.version), removed_clips(data)
    needed = _files_of(newest.manifest())
    stored = {entry.key: entry.size for entry in data.entries()}
    for number in range(1, newest.version + 1):
        if number in versions:
            print(f"version {number}: {_about(versions[number], needed, stored, gone)}")
        elif manifest_key(number) in stored:
            print(f"version {number}: its manifest cannot be read")
    print(f"newest   {newest.version}; --versions prune deletes the others", flush=True)


def prune_versions(data: StorageURI) -> None:
    """Delete all versions of a data set but the newest, with the files that it does not name, and print what was deleted.

    No ingest should run beside it, since it may take up a file of an old version. Manifests go last, so that running it again
    completes it. Files that only a version names whose manifest cannot be read are not known, and stay. Raises UserError if the
    newest version cannot be read.
    """
    newest = existing(data)
    needed = _files_of(newest.manifest())
    stored = {entry.key: entry.size for entry in data.entries()}
    named = {key for manifest in readable_versions(data, newest.version).values() for key in _files_of(manifest)}
    files = sorted(named.intersection(stored) - needed)
    old = [key for number in range(1, newest.version) if (key := manifest_key(number)) in stored]
    for key in [*files, *old]:
        data.remove(key)
    size = sum(stored[key] for key in files) / 1e6
    what = f"{counted(len(old), 'version')}, {counted(len(files), 'file')} of them alone"
    print(f"pruned   {what}, {size:.1f} MB; version {newest.version} stays")
    print("         not touched: local copies in FACEGAN_CACHE", flush=True)


def _files_of(manifest: Manifest) -> set[str]:
    """The files that a version names, and the records of its clips."""
    of_clips = {key for clip in manifest.clips for key in (clip.file, record_key(clip.key)) if key}
    return {manifest.clips.file.file, manifest.quarantine.file, *of_clips}


def _about(manifest: Manifest, needed: set[str], stored: dict[str, int], gone: set[str]) -> str:
    files = _files_of(manifest)
    own = sum(stored.get(key, 0) for key in files - needed)
    text = f"{manifest.rows} frames of {len(manifest.clips)} clips, {sum(stored.get(key, 0) for key in files) / 1e6:.1f} MB"
    if own >= _SHOWN_BYTES:
        text += f", {own / 1e6:.1f} MB of them not in the newest"
    held = sorted(gone.intersection(manifest.clips.texts("clip")))
    return f"{text}; gone: it held {', '.join(held)}" if held else text
