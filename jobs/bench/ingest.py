"""The speed of ingest: against a bare OpenCV loop on one core, and with two Ray workers against one.

The bare loop decodes, crops, resizes and encodes. It reads no annotation, hashes nothing and writes nothing.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import ray
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the benchmarks share modules below jobs/

from cluster.datasets.ingest import ingest
from cluster.datasets.ingest_request import IngestRequest
from cluster.datasets.ingest_task import ingest_clip
from cluster.runtime.start import start_ray
from cluster.storage.uri import StorageURI
from facegan.data.ingest.crop import face_square
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.sources import ClipSource, clips_in
from facegan.landmarks.points import read_pts
from facegan.synthetic.clips import format_points, write_synthetic
from jobs.bench.machine import Parser, machine, positive, run_main, write_results

_CLIPS_ON_ONE_CORE = 4


def main() -> None:
    """Measure, print the tables and write all of it as JSON."""
    args = _arguments()
    config = IngestConfig(size=args.size)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["FACEGAN_CACHE"] = scratch
        source = args.source or _rendered(Path(scratch), args)
        about = {"clips": args.clips, "frames": args.frames, "height": args.height, "codec": args.codec, "size": args.size}
        found: dict[str, Any] = {"conditions": {**machine(), **about, "source": "rendered" if not args.source else "own"}}
        found["one_core"] = _one_core(source, Path(scratch), config, args.rounds)
        found["workers"] = _workers(source, Path(scratch), config, args)
        found["bare_loops"] = _two_bare_loops(source, config, args.rounds)
    _print(found)
    write_results(found, args.out)


def _arguments() -> argparse.Namespace:
    parser = Parser(__doc__)
    parser.add_argument("--source", type=Path, help="a folder in the 300VW layout, in place of rendered clips")
    parser.add_argument("--clips", type=positive, default=16)
    parser.add_argument("--frames", type=positive, default=150, help="of a clip")
    parser.add_argument("--height", type=positive, default=480, help="of the video, pixels; it is a quarter wider")
    parser.add_argument("--codec", default="XVID", help="of the video: XVID, MJPG, FFV1")
    parser.add_argument("--size", type=positive, default=128, help="of the crops, pixels")
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def _rendered(scratch: Path, args: argparse.Namespace) -> Path:
    """Clips of one person's frames, rendered small, enlarged to the height asked for, and repeated to the length."""
    small, source = scratch / "small", scratch / "source"
    write_synthetic(small, people=args.clips - 1, test_people=1, frames=12, size=160, seed=0)
    print(f"writing {args.clips} clips of {args.frames} frames", flush=True)
    for clip in clips_in(small):
        _enlarge(clip, small, source / clip.clip, args)
    (source / "split.json").write_bytes((small / "split.json").read_bytes())
    return source


def _enlarge(clip: ClipSource, small: Path, folder: Path, args: argparse.Namespace) -> None:
    (folder / "annot").mkdir(parents=True)
    frames = _read(small / clip.video)
    scale = args.height / frames[0].shape[0]
    large = [cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC) for frame in frames]
    points = [read_pts(small / key) for key in clip.annotations().values()]
    video = cv2.VideoWriter(
        str(folder / "vid.avi"), cv2.VideoWriter.fourcc(*args.codec), 25, (large[0].shape[1], large[0].shape[0])
    )
    assert video.isOpened(), f"this OpenCV does not write {args.codec}"
    for number in range(args.frames):
        which = number % len(large)
        video.write(large[which])
        moved = (points[which].astype(np.float64) + 0.5) * scale - 0.5
        (folder / "annot" / f"{number + 1:06d}.pts").write_text(format_points(moved))
    video.release()


def _read(path: Path) -> list[NDArray[np.uint8]]:
    video = cv2.VideoCapture(str(path))
    frames: list[NDArray[np.uint8]] = []
    while True:
        ok, frame = video.read()
        if not ok:
            return frames
        frames.append(np.asarray(frame, np.uint8))


def _one_core(source: Path, scratch: Path, config: IngestConfig, rounds: int) -> dict[str, Any]:
    """Frames a second of both on one core, clip after clip, in turns."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(everywhere)})
    cv2.setNumThreads(1)
    clips = clips_in(source)[:_CLIPS_ON_ONE_CORE]
    boxes = {clip.clip: _boxes(clip, source, config) for clip in clips}
    frames = sum(len(found) for found in boxes.values())
    ways: dict[str, Callable[[int], object]] = {
        "bare loop": lambda _: [_bare(source / clip.video, boxes[clip.clip], config) for clip in clips],
        "ingest": lambda n: [
            list(ingest_clip(clip, StorageURI(str(source)), StorageURI(str(scratch / f"alone{n}")), config, ""))
            for clip in clips
        ],
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for run in ways.values():
        run(-1)  # libraries loaded, files in the page cache
    for number in range(rounds):
        for way, run in ways.items():
            started = time.perf_counter()
            run(number)
            seconds[way].append(time.perf_counter() - started)
            print(f"one core, round {number + 1}: {way:<10} {frames / seconds[way][-1]:7.0f} frames/s", flush=True)
    os.sched_setaffinity(0, everywhere)
    ratios = [bare / ours for bare, ours in zip(seconds["bare loop"], seconds["ingest"], strict=True)]
    rates = {way: frames / statistics.median(found) for way, found in seconds.items()}
    return {"frames_per_second": rates, "ingest_to_bare": statistics.median(ratios), "rounds": ratios}


def _boxes(clip: ClipSource, source: Path, config: IngestConfig) -> list[tuple[int, int, int]]:
    boxes = []
    for key in clip.annotations().values():
        square = face_square(read_pts(source / key), config.crop_scale)
        side = round(square.side)
        boxes.append((round(square.x + 0.5 - side / 2), round(square.y + 0.5 - side / 2), side))
    return boxes


def _bare(path: Path, boxes: list[tuple[int, int, int]], config: IngestConfig) -> int:
    video, encoded_bytes = cv2.VideoCapture(str(path), cv2.CAP_ANY, [cv2.CAP_PROP_N_THREADS, 1]), 0
    for left, top, side in boxes:
        ok, frame = video.read()
        assert ok
        height, width = frame.shape[:2]
        window = frame[max(0, top) : top + side, max(0, left) : left + side]
        edges = (max(0, -top), max(0, top + side - height), max(0, -left), max(0, left + side - width))
        if any(edges):
            window = cv2.copyMakeBorder(window, *edges, cv2.BORDER_REPLICATE)
        how = cv2.INTER_AREA if side >= config.size else cv2.INTER_LINEAR
        crop = cv2.resize(window, (config.size, config.size), interpolation=how)
        encoded_bytes += len(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, config.jpeg_quality])[1])
    return encoded_bytes


def _workers(source: Path, scratch: Path, config: IngestConfig, args: argparse.Namespace) -> dict[str, Any]:
    """Frames a second of the whole job with one CPU and with two for its tasks, Ray and its workers started before."""
    frames = sum(len(clip.annotations()) for clip in clips_in(source))
    rates: dict[str, list[float]] = {"1": [], "2": []}
    for number in range(args.rounds):
        for cpus in (1, 2):
            start_ray(cpus)
            ingest(StorageURI(str(source)), StorageURI(str(scratch / "warm" / f"{number}-{cpus}")), _request(config, 64))
            started = time.perf_counter()
            ingest(
                StorageURI(str(source)), StorageURI(str(scratch / "timed" / f"{number}-{cpus}")), _request(config, args.size)
            )
            rates[str(cpus)].append(frames / (time.perf_counter() - started))
            ray.shutdown()
    ratios = [two / one for one, two in zip(rates["1"], rates["2"], strict=True)]
    medians = {cpus: statistics.median(found) for cpus, found in rates.items()}
    return {"frames_per_second": medians, "two_to_one": statistics.median(ratios), "rounds": ratios}


def _two_bare_loops(source: Path, config: IngestConfig, rounds: int) -> dict[str, Any]:
    """What the machine itself allows: two bare loops at once against one, for cores share memory and caches."""
    ratios = []
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        list(pool.map(_bare_rate, [source] * 2, [config] * 2))
        for _ in range(rounds):
            alone = pool.submit(_bare_rate, source, config).result()
            together = list(pool.map(_bare_rate, [source] * 2, [config] * 2))
            ratios.append(sum(together) / alone)
    return {"two_to_one": statistics.median(ratios), "rounds": ratios}


def _bare_rate(source: Path, config: IngestConfig) -> float:
    cv2.setNumThreads(1)
    clips = clips_in(source)[:_CLIPS_ON_ONE_CORE]
    boxes = {clip.clip: _boxes(clip, source, config) for clip in clips}
    started = time.perf_counter()
    for clip in clips:
        _bare(source / clip.video, boxes[clip.clip], config)
    return sum(len(found) for found in boxes.values()) / (time.perf_counter() - started)


def _request(config: IngestConfig, size: int) -> IngestRequest:
    return IngestRequest(config=IngestConfig(size=size, jpeg_quality=config.jpeg_quality))


def _print(found: dict[str, Any]) -> None:
    one, workers = found["one_core"], found["workers"]
    print("\n| | frames/s | ratio | rounds |\n|---|---|---|---|")
    print(f"| bare OpenCV loop, one core | {one['frames_per_second']['bare loop']:.0f} | | |")
    spread = f"{min(one['rounds']):.2f} to {max(one['rounds']):.2f}"
    print(f"| ingest, one core | {one['frames_per_second']['ingest']:.0f} | {one['ingest_to_bare']:.2f} | {spread} |")
    print(f"| whole job, 1 worker | {workers['frames_per_second']['1']:.0f} | | |")
    spread = f"{min(workers['rounds']):.2f} to {max(workers['rounds']):.2f}"
    print(f"| whole job, 2 workers | {workers['frames_per_second']['2']:.0f} | {workers['two_to_one']:.2f} | {spread} |")
    bare = found["bare_loops"]
    spread = f"{min(bare['rounds']):.2f} to {max(bare['rounds']):.2f}"
    print(f"| two bare loops at once | | {bare['two_to_one']:.2f} | {spread} |")


if __name__ == "__main__":
    run_main(main)
