"""The cost of data-parallel training: weak scaling over processes of this machine, bytes all-reduced, and a GPU estimate.

Needs torch, numpy, pyarrow and opencv. The estimate takes a step time measured by jobs/bench/step.py (`--step_ms` at
`--paper_batch` images per GPU) and a network given by flags. It is arithmetic, not a measurement.
"""

import argparse
import math
import socket
import sys
import time
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import multiprocessing
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for a machine where facegan is not installed

from facegan.config import Config
from facegan.presets import preset
from facegan.training.packing import random_batch
from facegan.training.state import new_state
from facegan.training.step import step
from jobs.bench.machine import Parser, machine, positive, run_main, write_results

_BUCKET_BYTES = 25 * 2**20
"""DistributedDataParallel's: a bucket is sent while backward goes on."""


@dataclass(frozen=True)
class Network:
    """Between nodes: bandwidth of a node in GB/s and the latency of one hop in seconds; GPUs in a node are on a faster one."""

    gigabytes_a_second: float
    latency: float
    gpus_a_node: int


def main() -> None:
    """Measure, project, print, write."""
    args = _arguments()
    base = preset(args.preset).override({"vgg.weights": "random"})
    one, many = (scale(base, workers, args.batch, args.steps) for workers in (1, args.workers))
    efficiency = many["images_per_second"] / one["images_per_second"] / args.workers
    print(f"\n{args.preset}, {args.batch} images a process, one thread each, gloo")
    for row in (one, many):
        rate, sent = row["images_per_second"], row["megabytes_a_step"]
        print(f"{row['workers']:.0f} workers {rate:>10.2f} images/s {sent:>10.1f} MB all-reduced a step")
    print(f"weak scaling {efficiency:.2f} of perfect (the processes share memory bandwidth and caches too)")
    found: dict[str, Any] = {
        "measured": [one, many],
        "efficiency": efficiency,
        "conditions": {**machine(), **{name: value for name, value in vars(args).items() if name != "out"}},
    }
    if args.step_ms:
        found["paper"] = on_paper(args, many["megabytes_a_step"] * 1e6)
    write_results(found, args.out)


def _arguments() -> argparse.Namespace:
    parser = Parser(__doc__)
    parser.add_argument("--preset", default="poster")
    parser.add_argument("--workers", type=positive, default=2)
    parser.add_argument("--batch", type=positive, default=4, help="images a process and step")
    parser.add_argument("--steps", type=positive, default=3)
    parser.add_argument("--step_ms", type=float, default=0.0, help="measured time of a step of --paper_batch images on one GPU")
    parser.add_argument("--paper_batch", type=positive, default=64, help="images a GPU and step on paper")
    parser.add_argument("--backward_share", type=float, default=0.6, help="share of the step in which gradients can travel")
    parser.add_argument("--gigabytes_a_second", type=float, default=12.5, help="of a node; 12.5 is 100 Gbit/s")
    parser.add_argument("--latency_us", type=float, default=20.0, help="of one hop between nodes")
    parser.add_argument("--gpus_a_node", type=positive, default=8)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def scale(base: Config, workers: int, batch: int, steps: int) -> dict[str, float]:
    """Images/s of all workers together and bytes that one of them all-reduces in a step."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    total = batch * workers
    config = base.with_batch(total)
    out = multiprocessing.get_context("spawn").SimpleQueue()
    # It raises what a rank raises; afterwards all of them have answered.
    spawn(_rank, args=(workers, port, config, batch, steps, out), nprocs=workers)
    seconds, sent = max(out.get() for _ in range(workers))
    return {"workers": workers, "images_per_second": total * steps / seconds, "megabytes_a_step": sent / 1e6}


def _rank(
    rank: int, workers: int, port: int, config: Config, batch: int, steps: int, out: "SimpleQueue[tuple[float, float]]"
) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=workers)
    state = new_state(config, torch.device("cpu"))
    sent = [0]
    for network in (state.parallel_generator, state.parallel_discriminator):
        assert isinstance(network, DistributedDataParallel)
        network.register_comm_hook(sent, _counted)
    mine = random_batch(config.with_batch(batch))
    step(state, mine)
    dist.barrier()
    sent[0], began = 0, time.perf_counter()
    for _ in range(steps):
        step(state, mine)
    dist.barrier()
    out.put((time.perf_counter() - began, sent[0] / steps))
    dist.destroy_process_group()


def _counted(sent: list[int], bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:  # type: ignore[name-defined]
    sent[0] += bucket.buffer().numel() * bucket.buffer().element_size()
    group = dist.group.WORLD
    assert group is not None
    return allreduce_hook(group, bucket)


def exchange_seconds(size: float, gpus: int, network: Network) -> float:
    """An all-reduce of `size` bytes between nodes: 2 (n - 1) / n of it over a node's link, log2 n hops each way a bucket.

    Within a node it is left out: its links are an order of magnitude faster.
    """
    nodes = math.ceil(gpus / network.gpus_a_node)
    if nodes == 1:
        return 0.0
    over_the_link = 2 * (nodes - 1) / nodes * size / (network.gigabytes_a_second * 1e9)
    return over_the_link + math.ceil(size / _BUCKET_BYTES) * 2 * math.log2(nodes) * network.latency


def on_paper(args: argparse.Namespace, size: float) -> list[dict[str, float]]:
    """Weak scaling efficiency, and the images a GPU below which the exchange outlasts backward, so that it stops paying."""
    network = Network(args.gigabytes_a_second, args.latency_us * 1e-6, args.gpus_a_node)
    seconds = args.step_ms / 1e3
    rows = []
    print(
        f"\non paper: {seconds * 1e3:.1f} ms a step of {args.paper_batch} images on one GPU, {size / 1e6:.0f} MB of gradients, "
        f"{network.gigabytes_a_second:g} GB/s a node of {network.gpus_a_node}, {args.latency_us:g} us a hop"
    )
    for gpus in (8, 64, 512):
        exchange = exchange_seconds(size, gpus, network)
        hidden = args.backward_share * seconds
        efficiency = seconds / (seconds + max(0.0, exchange - hidden))
        least = exchange / (args.backward_share * seconds / args.paper_batch)
        rows.append({"gpus": gpus, "exchange_ms": exchange * 1e3, "efficiency": efficiency, "least_images_a_gpu": least})
        print(
            f"{gpus:>4} GPUs: exchange {exchange * 1e3:6.1f} ms, efficiency {efficiency:.2f}, "
            f"pays from {least:.0f} images a GPU (a global batch of {least * gpus:.0f})"
        )
    return rows


if __name__ == "__main__":
    run_main(main)
