"""Large data sets: seconds, memory and bytes of the manifest, and training on a node that holds a part of the data.

The clips of the manifests are made up: no file of them exists. Those that are trained from have frames of noise,
from a source that answers after `--latency` seconds with `--bandwidth` MB/s for all requests together.
"""

import argparse
import hashlib
import multiprocessing
import os
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the benchmarks share modules below jobs/

from cluster.datasets.dataset import existing
from cluster.datasets.ingest_request import IngestRequest
from cluster.datasets.publish import publish
from cluster.storage.uri import StorageURI
from facegan.data.ingest.clip_record import ClipRecord, Quarantined, file_key
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.listing import IngestedSource
from facegan.data.ingest.shards import ROWS_PER_GROUP, SCHEMA
from facegan.data.ingest.sources import ClipSource, FoundClips
from facegan.data.reading.clip_files import checked_file
from facegan.data.reading.face_data import open_version
from facegan.data.reading.local_copy import read_newest
from facegan.data.reading.sampling import batches, sample, training_clips
from facegan.data.versions.clip_table import ManifestClip
from facegan.data.versions.manifest import Manifest, make_manifest, manifest_key, to_bytes
from facegan.files import file_sha256
from facegan.landmarks.points import POINTS
from facegan.presets import preset
from jobs.bench.machine import Parser, machine, positive, run_main, say, write_results

FRAMES = 100
"""Of each clip: 100,000 clips are 10 million frames."""


def main() -> None:
    """Measure, print the tables and write all of it as JSON."""
    args = _arguments()
    found: dict[str, Any] = {"conditions": {**machine(), **{k: v for k, v in vars(args).items() if k != "out"}}}
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["FACEGAN_CACHE"], os.environ["FACEGAN_CACHE_GB"] = f"{scratch}/cache", "0.01"
        found["manifest"] = {str(clips): _manifest(Path(scratch) / str(clips), clips) for clips in args.clips}
        found["training"] = _training(Path(scratch) / "trained", args)
    _print(found)
    write_results(found, args.out)


def _arguments() -> argparse.Namespace:
    parser = Parser(__doc__)
    parser.add_argument("--clips", type=positive, nargs="+", default=[114, 10_000, 100_000], help="of each manifest")
    parser.add_argument("--trained_clips", type=positive, default=300, help="of the data set that is trained from")
    parser.add_argument("--batches", type=positive, default=100, help="that are timed, after as many that are not")
    parser.add_argument("--latency", type=float, default=0.05, help="of the source, seconds")
    parser.add_argument("--bandwidth", type=float, default=100.0, help="of the source, MB/s")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def _record(number: int, shard: Path | None = None) -> ClipRecord:
    clip = f"{number:06d}"
    digest = hashlib.sha256(clip.encode()).hexdigest()
    part = "test" if number % 10 == 0 else "train"
    return ClipRecord(
        clip=clip,
        person=clip,
        split="test" if part == "test" else "train",
        category=part,
        source_sha256=digest,
        key=f"{clip}-{digest[:12]}",
        rows=FRAMES,
        file_bytes=shard.stat().st_size if shard else FRAMES * 17_000,
        image_bytes=FRAMES * 16_000,
        sha256=file_sha256(shard) if shard else digest,
        frames_read=FRAMES + 1,
        quarantined=[Quarantined(clip, 5, "annotation missing", f"{clip}/annot/000005.pts")],
        doubtful=0,
    )


def _write(records: list[ClipRecord], folder: Path) -> Manifest:
    facts = IngestedSource("made up", len(records), [])
    manifest, tables = make_manifest(records, IngestConfig(), synthetic=False, sources={"clips": facts})
    folder.mkdir(exist_ok=True)
    for name, content in {**tables, manifest_key(1): to_bytes(manifest)}.items():
        (folder / name).write_bytes(content)
    return manifest


def _manifest(folder: Path, clips: int) -> dict[str, Any]:
    """Seconds, and memory above that of the imports, of each part in a process of its own; bytes of the version."""
    found: dict[str, Any] = {}
    for name, part in {"write": _writing, "open": _opening, "begin": _beginning, "extend": _extending}.items():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found[name] = pool.apply(_measured, (part, folder, clips))
        found.setdefault("bytes", sum(path.stat().st_size for path in folder.iterdir()))  # before it is extended
        say(f"{clips} clips, {name}: {found[name]['seconds']:.2f} s, {found[name]['mib']:.0f} MiB")
    return found


def _measured(part: Callable[[Path, int], Iterator[None]], folder: Path, clips: int) -> dict[str, float]:
    """What comes before the `yield` of a part is not measured."""
    pc.greater(pa.array([1]), 0)  # loads pandas, which the jobs do anyway
    steps = part(folder, clips)
    next(steps, None)
    before, started = _peak_mib(), time.perf_counter()
    next(steps, None)
    return {"seconds": time.perf_counter() - started, "mib": _peak_mib() - before}


def _peak_mib() -> float:
    # Not getrusage, which counts the process that started this one too.
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found, "Linux says how much memory a process took at most"
    return int(found[1]) / 1024


def _writing(folder: Path, clips: int) -> Iterator[None]:
    records = [_record(number) for number in range(clips)]
    yield
    _write(records, folder)


def _opening(folder: Path, clips: int) -> Iterator[None]:
    yield
    assert len(read_newest(folder).clips) == clips


def _extending(folder: Path, clips: int) -> Iterator[None]:
    """One clip more, as jobs/ingest.py writes it once the clip is ingested."""
    yield
    found = FoundClips([ClipSource(f"{clips:06d}", f"{clips:06d}", "train", "vid.avi", ())], [])
    request = IngestRequest(config=IngestConfig())
    made = publish([_record(clips)], found, StorageURI(str(folder / "none")), StorageURI(str(folder)), request)
    assert made.version == 2


def _beginning(folder: Path, clips: int) -> Iterator[None]:
    """What a node does before it fetches the clips of the first batch."""
    yield
    config = preset("poster")
    chosen = training_clips(existing(StorageURI(str(folder))).open(), config)
    sample(chosen, config.seed, 0, config.optim.batch, config.data.flip)


class _Source:
    """The shards of a folder, as from a server. It counts the bytes that were fetched."""

    def __init__(self, folder: Path, args: argparse.Namespace) -> None:
        self._folder, self._latency, self._rate = folder, args.latency, args.bandwidth * 1e6
        self._lock, self._free, self.bytes = threading.Lock(), 0.0, 0

    def fetch(self, clip: ManifestClip, _: Path) -> Path:
        with self._lock:
            self.bytes += clip.file_bytes
            self._free = max(self._free, time.monotonic()) + clip.file_bytes / self._rate
            ready = self._free + self._latency
        time.sleep(max(0.0, ready - time.monotonic()))
        return checked_file(self._folder, clip, "run it again")


def _training(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    manifest, found = _shards(folder, args.trained_clips), {}
    size = manifest.clips.total("file_bytes")
    for name, share in (("complete copy", 1.0), ("75 %", 0.75), ("50 %", 0.5), ("25 %", 0.25)):
        os.environ["FACEGAN_CACHE"] = str(folder / name)
        os.environ["FACEGAN_CACHE_GB"] = str(share * size / 1e9)
        found[name] = _feed(manifest, _Source(folder, args), args.batches)
        say(f"{name}: {found[name]}")
    return {"megabytes": size / 1e6, "ways": found}


def _feed(manifest: Manifest, source: _Source, count: int) -> dict[str, float]:
    config, started = preset("poster").override({"data.validation_fraction": 0.0}), time.perf_counter()
    data = open_version(manifest, source.fetch, downloads=False)
    with closing(batches(data, config, 0, 0, 1, pin=False)) as feed:
        next(feed)
        first = {"first_batch_seconds": time.perf_counter() - started, "first_batch_mb": source.bytes / 1e6}
        for _ in islice(feed, count):
            pass
        fetched, seconds = source.bytes, []
        for _ in range(count):
            began = time.perf_counter()
            next(feed)
            seconds.append(time.perf_counter() - began)
    samples = count * config.optim.batch
    rate = {"samples_per_second": samples / sum(seconds), "median_wait_ms": 1e3 * statistics.median(seconds)}
    return first | rate | {"mb_per_sample": (source.bytes - fetched) / 1e6 / samples}


def _shards(folder: Path, clips: int) -> Manifest:
    """A data set of smooth noise at 128 pixels, 16 kB an image."""
    rng = np.random.default_rng(0)
    (folder / "clips").mkdir(parents=True)
    images = [_noise(rng) for _ in range(ROWS_PER_GROUP)]
    records = []
    for number in range(clips):
        shard = folder / file_key(_record(number).key)
        rows = [
            {
                **{"clip": f"{number:06d}", "person": "", "split": "train", "category": "train", "frame": frame + 1},
                **{"image": images[rng.integers(len(images))], "landmarks": rng.random(2 * POINTS, np.float32)},
                **{"crop_box": [0, 0, 128], "source_width": 128, "source_height": 128},
            }
            for frame in range(FRAMES)
        ]
        how = {"compression": "none", "use_dictionary": False, "write_statistics": False}
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), shard, row_group_size=ROWS_PER_GROUP, **how)
        records.append(_record(number, shard))
    return _write(records, folder)


def _noise(rng: np.random.Generator) -> bytes:
    image = cv2.resize(rng.integers(0, 256, (72, 72, 3), np.uint8), (128, 128), interpolation=cv2.INTER_CUBIC)
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes())


def _print(found: dict[str, Any]) -> None:
    print("\n| clips | bytes | write | open | extend by one | ready to fetch the first batch |\n|---|---|---|---|---|---|")
    for clips, of in found["manifest"].items():
        parts = (f"{of[name]['seconds']:.2f} s, {of[name]['mib']:.0f} MiB" for name in ("write", "open", "extend", "begin"))
        print(f"| {int(clips):,} | {of['bytes']:,} | {' | '.join(parts)} |")
    print(f"\n{found['training']['megabytes']:.0f} MB\n")
    print("| kept | first batch after | fetched for it | samples/s | fetched a sample |")
    print("|---|---|---|---|---|")
    for name, of in found["training"]["ways"].items():
        first = f"{of['first_batch_seconds']:.1f} s | {of['first_batch_mb']:.0f} MB"
        print(f"| {name} | {first} | {of['samples_per_second']:.0f} | {of['mb_per_sample']:.2f} MB |")


if __name__ == "__main__":
    run_main(main)
