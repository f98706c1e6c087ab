"""From clips to a data set: one Ray task per clip, then a manifest that makes their files a version of the data set.

Every file is named by what it was made from and appears only when it is complete, so a job that was killed is simply run again.
Ray and the task are imported inside functions: a wrong flag must be refused within two seconds.
"""

from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import islice
from typing import Any

from cluster.datasets.dataset import DataSet, newest_number
from cluster.datasets.ingest_request import IngestRequest
from cluster.datasets.moved_people import check_nobody_moves
from cluster.datasets.progress import show_ingest_progress
from cluster.datasets.publish import ingested, publish, read_version
from cluster.datasets.removed import REMOVED, readable_versions, removed_clips, without_removed
from cluster.datasets.source import clips_of
from cluster.storage.leftovers import sweep_partials
from cluster.storage.uri import StorageURI
from facegan.data.ingest.clip_record import ClipProgress, ClipRecord
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.sources import ClipSource, FoundClips, fingerprint
from facegan.data.versions.manifest import Manifest, manifest_hash
from facegan.errors import UserError
from facegan.landmarks.finder import FINDERS

_TASKS_PER_CPU = 2
"""Tasks submitted to Ray at a time: enough to keep every core busy, few enough to hold no list of all clips."""
_GPUS_PER_TASK = 0.5


def ingest(source: StorageURI, data: StorageURI, request: IngestRequest) -> DataSet:
    """Make the data set or extend it by the clips that it lacks, and print the progress.

    Returns the version that holds the clips. Raises UserError if there are no clips, if too many frames are bad, if the data
    set was made with another configuration or from other files of these clips and `request.replace` is False, or if a person
    moves between training and test and `request.move_people` is False.
    """
    data.check()
    found = without_removed(clips_of(source), data)
    if not found.clips:
        raise UserError(f"--source is {str(source)!r}: each of its clips was removed from {data} with --remove")
    number = newest_number(data)
    manifest = read_version(data, number, request)
    if manifest is not None:
        request = _with_configuration_of(manifest, request)
        _check_configuration(manifest, data, request)
        check_nobody_moves(manifest, found.clips, str(source), request)
        same = _is_ingested(manifest, source, found) and manifest.ingest == request.config
        if same and not request.repair:
            print(f"data     {data}: {manifest.rows} frames are there already (version {number})", flush=True)
            return DataSet(str(data), number, manifest_hash(manifest))
    _check_refused(found, source, request)
    records = _run_tasks(found.clips, source, data, request)
    _check_records(records, source, request)
    made = publish(records, found, source, data, request)
    _print_result(made, found, source, data)
    if number and manifest is None:
        _print_lacking(made, number, data)
    return made


def _is_ingested(manifest: Manifest, source: StorageURI, found: FoundClips) -> bool:
    there = manifest.sources.get(str(source))
    return there is not None and there.fingerprint == fingerprint(found)


def _with_configuration_of(manifest: Manifest, request: IngestRequest) -> IngestRequest:
    """A repair without flags about the crops keeps those of the data set, which a user need not remember."""
    keeps = request.repair and request.config == IngestConfig()
    return replace(request, config=manifest.ingest) if keeps else request


def _check_configuration(manifest: Manifest, data: StorageURI, request: IngestRequest) -> None:
    made, wanted = asdict(manifest.ingest), asdict(request.config)
    other = [f"{name} {made[name]} there, {wanted[name]} here" for name in wanted if made[name] != wanted[name]]
    if other and not request.replace:
        raise UserError(
            f"--data is {str(data)!r}: it was ingested in another way ({'; '.join(other)}); name another place, leave out "
            f"--source to use it as it is, or make a new version with {request.flags}replace True"
        )


def _run_tasks(clips: list[ClipSource], source: StorageURI, data: StorageURI, request: IngestRequest) -> list[ClipRecord]:
    """Start Ray, ingest every clip in a task of its own, and return the records."""
    from cluster.runtime.shared_paths import check_shared_paths
    from cluster.runtime.start import start_ray

    start_ray()
    if not source.is_remote:
        check_shared_paths({"--source": source.folder / clips[0].files[0].key})
    sweep_partials(data)
    return list(_records(clips, source, data, request))


def _records(clips: list[ClipSource], source: StorageURI, data: StorageURI, request: IngestRequest) -> Iterator[ClipRecord]:
    """The record of each clip when it is done."""
    import ray

    from cluster.datasets.ingest_task import ingest_clip
    from cluster.runtime.ray_results import first_ready
    from cluster.runtime.start import total

    landmarks = request.config.landmarks
    gpus = _GPUS_PER_TASK if landmarks != "annotations" and FINDERS[landmarks].uses_gpu and total("GPU") else 0
    task = ray.remote(num_cpus=1, num_gpus=gpus, num_returns="streaming")(ingest_clip)
    todo = iter(clips)
    running: dict[Any, ClipSource] = {}
    with show_ingest_progress(clips) as report:
        while True:
            window = max(2, int(_TASKS_PER_CPU * total("CPU")))  # anew each time: the cluster may grow
            for clip in islice(todo, window - len(running)):
                running[task.remote(clip, source, data, request.config, request.landmark_weights)] = clip
            if not running:
                return
            ready = first_ready(list(running), {"CPU": 1, "GPU": gpus})
            step = _next_step(ready, running[ready], source)
            if step is None:
                del running[ready]
                continue
            report(step)
            if isinstance(step, ClipRecord):
                yield step


def _next_step(task: Any, clip: ClipSource, source: StorageURI) -> ClipProgress | ClipRecord | None:
    """The next result of a clip's task; None at its end. Every failure names the clip and its file."""
    from ray.exceptions import RayError, RayTaskError

    from cluster.runtime.ray_results import next_of

    where = f"clip {clip.clip} ({source}/{clip.video})"
    try:
        step: ClipProgress | ClipRecord | None = next_of(task)
    except UserError as mistake:
        raise UserError(f"{where}: {mistake}") from None
    except RayTaskError as error:
        if isinstance(error.cause, (OSError, MemoryError)):
            raise UserError(f"{where}: {error.cause}; correct this and run it again, or take the clip out") from None
        error.add_note(f"in {where}")
        raise
    except RayError as error:  # the process of the task was killed or has crashed
        reason = str(error).partition("\n")[0]
        raise UserError(f"{where}: its process has ended ({reason}); run it again, or take the clip out") from None
    return step


def _check_refused(found: FoundClips, source: StorageURI, request: IngestRequest) -> None:
    """Raise UserError if too many clips are refused, before the others are ingested."""
    refused = [one for one in found.refused if one.clip and one.reason != REMOVED]
    clips = len(found.clips) + len(refused)
    if len(refused) > request.max_quarantined * clips:
        raise UserError(
            f"--source is {str(source)!r}: {len(refused)} of {clips} clips are refused, more than "
            f"{request.flags}max_quarantined {request.max_quarantined} allows; the first: {refused[0].where}: "
            f"{refused[0].reason}; correct the source or raise the limit"
        )


def _check_records(records: list[ClipRecord], source: StorageURI, request: IngestRequest) -> None:
    quarantined = [row for record in records for row in record.quarantined]
    read, rows = sum(record.frames_read for record in records), sum(record.rows for record in records)
    first = f"; the first: {quarantined[0].where}, frame {quarantined[0].frame}: {quarantined[0].reason}" if quarantined else ""
    if not rows:
        raise UserError(f"--source is {str(source)!r}: no frame could be used{first}")
    if len(quarantined) > request.max_quarantined * read:
        raise UserError(
            f"--source is {str(source)!r}: {len(quarantined)} of {read} frames are bad, more than "
            f"{request.flags}max_quarantined {request.max_quarantined} allows{first}; correct the source or raise the limit"
        )


def _print_lacking(made: DataSet, damaged: int, data: StorageURI) -> None:
    """After a repair that replaced a damaged version: which clips of the version before that are not in this one."""
    versions = readable_versions(data, damaged)
    newest = max(versions, default=0)
    before = set(versions[newest].clips.texts("clip")) if newest else set()
    lacking = sorted(before - set(made.manifest().clips.texts("clip")) - removed_clips(data))
    if lacking:
        examples = ", ".join(lacking[:5]) + (", ..." if len(lacking) > 5 else "")
        print(
            f"         version {damaged} cannot be read; of version {newest} this one lacks {examples}: ingest their sources "
            "too, with --repair True",
            flush=True,
        )


def _print_result(made: DataSet, found: FoundClips, source: StorageURI, data: StorageURI) -> None:
    manifest = made.manifest()
    facts = ingested(found)
    print(f"source   {source}: {facts.counts()}", flush=True)
    for line in facts.lines():
        print(f"         left out: {line}", flush=True)
    print(
        f"data     {data}: version {made.version}, {manifest.rows} frames of {len(manifest.clips)} clips "
        f"({len(found.clips)} of this source); {manifest.frames_read} read = {manifest.rows} written + "
        f"{manifest.quarantined} quarantined",
        flush=True,
    )
    for reason, count in manifest.reasons.items():
        print(f"         quarantined: {count} x {reason} (each is listed in {manifest.quarantine.file})", flush=True)
