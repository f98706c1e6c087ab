"""Training input: samples per second, bytes sent to the device and memory held, against other loaders in the same run.

Needs torch, numpy, pyarrow and opencv. `--data` measures your own data set instead of a rendered one.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for a machine where facegan is not installed

from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.sources import clips_in
from facegan.data.reading.face_data import FaceData
from facegan.data.reading.local_copy import copy_of_folder, ingest_folder, read_newest
from facegan.data.reading.resident import resident_batches
from facegan.data.reading.sampling import batches, training_clips
from facegan.presets import preset
from facegan.synthetic.clips import write_synthetic
from jobs.bench.machine import Parser, machine, positive, run_main, write_results
from jobs.bench.reference_input import Dataset2019, ParquetDataset, Sample, TableDataset

OURS, RESIDENT, PARQUET, TABLE, OLD = "ours", "ours, resident", "DataLoader, Parquet", "DataLoader, table", "2019"
MEMORY_WORKERS = (1, 2, 4)


def main() -> None:
    """Measure, print the tables and write all of it as JSON."""
    args = _arguments()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["FACEGAN_CACHE"] = scratch
        folder = args.data or _rendered(Path(scratch), args)
        copy = copy_of_folder(folder)
        found: dict[str, Any] = {"conditions": {**machine(), **_about(args, copy)}}
        found["one_core"] = _rates(args, folder, copy, Path(scratch), cores=1)
        found["all_cores"] = _rates(args, folder, copy, Path(scratch), cores=len(os.sched_getaffinity(0)))
        found["bytes_a_sample"] = _bytes_a_sample(args, copy)
        found["memory"] = {str(workers): _memory(copy, args, workers) for workers in MEMORY_WORKERS}
    _print(found)
    write_results(found, args.out)


def _arguments() -> argparse.Namespace:
    parser = Parser(__doc__)
    parser.add_argument("--data", type=Path, help="a folder that jobs/ingest.py made")
    parser.add_argument("--size", type=positive, default=128, help="pixels of the rendered crops")
    parser.add_argument("--people", type=positive, default=12)
    parser.add_argument("--frames", type=positive, default=32)
    parser.add_argument(
        "--copies", type=positive, default=30, help="of each rendered clip, so that the set is larger than the noise"
    )
    parser.add_argument("--batch", type=positive, default=8)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def _rendered(scratch: Path, args: argparse.Namespace) -> Path:
    """Synthetic clips, each linked under several names, as a data set."""
    print(f"rendering {args.people} people, {args.frames} frames each", flush=True)
    clips = scratch / "clips"
    write_synthetic(clips, people=args.people, test_people=1, frames=args.frames, size=2 * args.size, seed=0)
    split = json.loads((clips / "split.json").read_text())
    for clip in list(split["train"]):
        for number in range(1, args.copies):
            (clips / f"{clip}x{number}").symlink_to(clips / clip)
            split["train"].append(f"{clip}x{number}")
    (clips / "split.json").write_text(json.dumps(split))
    ingest_folder(clips_in(clips), clips, scratch / "set", IngestConfig(size=args.size), synthetic=True)
    return scratch / "set"


def _about(args: argparse.Namespace, copy: Path) -> dict[str, Any]:
    manifest = FaceData.of_copy(copy).manifest
    images = sum(clip.image_bytes for clip in manifest.clips)
    return {"rows": manifest.rows, "image_bytes": images, "ingest": asdict(manifest.ingest), "batch": args.batch}


def _config(args: argparse.Namespace, data: FaceData) -> Any:
    return preset("poster").override({"data.size": data.size, "optim.batch": args.batch, "images": args.batch * 1000})


def _rates(args: argparse.Namespace, folder: Path, copy: Path, scratch: Path, cores: int) -> dict[str, float]:
    """Samples a second of each way on this many cores: the median of interleaved rounds, each in a process of its own."""
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    workers = 0 if cores == 1 else cores  # on one core a DataLoader is fastest without a worker to send from
    ways = {
        OURS: (_ours, (copy, args)),
        RESIDENT: (_resident, (copy, args)),
        PARQUET: (_loader, (ParquetDataset, folder, copy, scratch, args, workers)),
        TABLE: (_loader, (TableDataset, folder, copy, scratch, args, workers)),
        OLD: (_loader, (Dataset2019, folder, copy, scratch, args, workers)),
    }
    rates: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(args.rounds):
        for way, (feed, given) in ways.items():
            rates[way].append(_in_processes(_timed, (feed, given, args, allowed))[0])
            print(f"{cores} core, round {number + 1}: {way:<20} {rates[way][-1]:8.0f} samples/s", flush=True)
    return {way: statistics.median(found) for way, found in rates.items()}


def _in_processes(function: Callable[..., Any], given: tuple[Any, ...], count: int = 1) -> list[Any]:
    """What the function returns in each of some fresh processes."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(count)
    pipes, processes = [], []
    for _ in range(count):
        mine, theirs = context.Pipe()
        # Not a daemon: a DataLoader's workers are its children.
        processes.append(context.Process(target=_answer, args=(theirs, function, (*given, barrier))))
        processes[-1].start()
        theirs.close()
        pipes.append(mine)
    try:
        return [pipe.recv() for pipe in pipes]
    finally:
        for process in processes:
            process.join()


def _answer(pipe: Any, function: Callable[..., Any], given: tuple[Any, ...]) -> None:
    pipe.send(function(*given))


def _timed(
    feed: Callable[..., Iterator[Any]], given: tuple[Any, ...], args: argparse.Namespace, cores: list[int], _: Any
) -> float:
    os.sched_setaffinity(0, cores)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    batches_of = feed(*given)
    for _ in range(4):  # files opened, workers started, caches warm
        next(batches_of)
    started, samples = time.perf_counter(), 0
    while time.perf_counter() - started < args.seconds:
        next(batches_of)
        samples += args.batch
    rate = samples / (time.perf_counter() - started)
    batches_of.close()  # type: ignore[attr-defined]
    return rate


def _ours(copy: Path, args: argparse.Namespace) -> Iterator[Any]:
    data = FaceData.of_copy(copy)
    yield from batches(data, _config(args, data), 0, 0, 1, pin=False)


def _resident(copy: Path, args: argparse.Namespace) -> Iterator[Any]:
    data = FaceData.of_copy(copy)
    yield from resident_batches(data, _config(args, data), 0, 0, 1, torch.device("cpu"))


def _loader(
    kind: Callable[..., Any], folder: Path, copy: Path, scratch: Path, args: argparse.Namespace, workers: int
) -> Iterator[list[Sample]]:
    data = FaceData.of_copy(copy)
    clips = [[int(row) for row in rows] for rows in training_clips(data, _config(args, data))]
    if kind is Dataset2019:
        made = kind(_as_files(data, scratch / "jpegs"), clips, np.asarray(data.points), data.size, 10**7)
    else:
        files = [folder / clip.file for clip in read_newest(folder).clips if clip.rows]
        made = kind(files, clips, np.asarray(data.points), 10**7)
    yield from DataLoader(made, batch_size=args.batch, num_workers=workers)


def _as_files(data: FaceData, folder: Path) -> Path:
    """The same images as one JPEG file each."""
    if not folder.exists():
        folder.mkdir()
        for row in range(len(data.frame)):
            (folder / f"{row}.jpg").write_bytes(data.encoded(row).tobytes())
    return folder


def _bytes_a_sample(args: argparse.Namespace, copy: Path) -> float:
    batch = next(_ours(copy, args))
    return float(sum(getattr(batch, name).nbytes for name in batch.__slots__) / args.batch)


def _memory(copy: Path, args: argparse.Namespace, workers: int) -> dict[str, float]:
    """What that many processes hold together after each has read every image, over the bytes of the images."""
    held = sum(_in_processes(_held, (copy,), workers))
    return {"held_bytes": held, "share_of_image_bytes": held / _about(args, copy)["image_bytes"]}


def _held(copy: Path, barrier: Any) -> int:
    """Proportional set size that the data added: a page that n processes map counts as 1/n in each."""
    cv2.setNumThreads(1)
    FaceData.of_copy(copy).image(0)  # the libraries' own buffers are not the data's
    barrier.wait()
    before = _proportional_bytes()
    barrier.wait()
    data = FaceData.of_copy(copy)
    for row in range(len(data.frame)):
        data.image(row)
    barrier.wait()
    after = _proportional_bytes()
    barrier.wait()
    return after - before


def _proportional_bytes() -> int:
    rollup = Path("/proc/self/smaps_rollup").read_text()
    return 1024 * next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))


def _print(found: dict[str, Any]) -> None:
    print("\n| samples/s | one core | all cores | ours to it, one core | ours to it, all cores |\n|---|---|---|---|---|")
    one, every = found["one_core"], found["all_cores"]
    for way in one:
        print(f"| {way} | {one[way]:.0f} | {every[way]:.0f} | {one[OURS] / one[way]:.2f} | {every[OURS] / every[way]:.2f} |")
    print(f"\nbytes a sample to the device: {found['bytes_a_sample']:.0f}")
    for workers, held in found["memory"].items():
        print(f"{workers} workers hold {held['share_of_image_bytes']:.2f} of the bytes of the images")


if __name__ == "__main__":
    run_main(main)
