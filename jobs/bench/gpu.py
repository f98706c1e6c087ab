"""Everything that is to be measured on a GPU, in one command of at most ten minutes: `python jobs/bench/gpu.py --out FILE`.

Each case runs in a process of its own with a time limit. The results are written after every case, so what was measured stays
when a later case fails; a case that fails keeps its reason. Needs torch, numpy, pyarrow and opencv. With `--device cpu` all
cases run on small networks and without graphs: a rehearsal, whose figures say nothing.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for a machine where facegan is not installed

from facegan.config import Config
from facegan.presets import preset
from facegan.training.cuda_graph import GraphedSteps
from facegan.training.flops import count_step
from facegan.training.packing import best_packing, measure_packing, random_batch
from facegan.training.state import TrainState, new_state
from facegan.training.step import steps
from jobs.bench.machine import as_measured, device_parser, machine, parse, positive, run_main, say, write_results
from jobs.bench.process import count_operations
from jobs.bench.reference_2019 import Step2019
from jobs.bench.step import limits

BATCHES = {"poster": (8, 64), "study": (16,), "demo": (4,)}
"""Images a step of each preset, the first as it is trained."""
WAYS: dict[str, dict[str, Any]] = {
    "2019, TF32": {"optim.tf32": True},
    "2019, float32": {"optim.tf32": False},
    "float32": {"optim.precision": "fp32", "optim.tf32": False},
    "TF32": {"optim.precision": "fp32"},
    "bfloat16": {},
    "fused norm": {"optim.fused_norm": True},
    "graph": {"optim.cuda_graph": True},
    "graph, fused norm": {"optim.cuda_graph": True, "optim.fused_norm": True},
    "compiled": {"optim.compile": True},
    "compiled, graph": {"optim.compile": True, "optim.cuda_graph": True},
}
"""Ways to take the same step, by what they change in a configuration of bfloat16."""
TOGETHER = (2, 4, 8, 16)
"""Runs in one process, each a graph."""
_SMALL = {"model.generator_width": 4, "model.discriminator_width": 4, "vgg.width": 4, "data.size": 32}
_WARM_STEPS = 6


def main() -> None:
    """Run the cases one after the other, each by this same script, and write what they found."""
    parser = device_parser(__doc__)
    parser.add_argument("--seconds", type=positive, default=540, help="time for all cases; those that are left are named")
    parser.add_argument("--case_seconds", type=positive, default=90, help="time limit of a case")
    parser.add_argument("--measure_seconds", type=float, default=4.0, help="time in which a case counts its steps")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    args = parse(parser)
    if args.case:
        print(json.dumps(_run_case(args, **json.loads(args.case))))
        return

    began = time.monotonic()
    found: dict[str, Any] = {"conditions": {**machine(args.device), "rehearsal": args.device == "cpu"}, "cases": {}}
    for name, case in _cases().items():
        left = args.seconds - (time.monotonic() - began)
        found["cases"][name] = _in_a_process(args, case, min(left, args.case_seconds))
        say(f"{name}: {_short(found['cases'][name])}")
        write_results(found, args.out)
    failed = [name for name, result in found["cases"].items() if "error" in result]
    say(f"{len(found['cases']) - len(failed)} of {len(found['cases'])} cases measured; not measured: {failed}")
    for name, result in _ratios(found["cases"]).items():
        say(f"{name}: {result:.2f}")


def _cases() -> dict[str, dict[str, Any]]:
    """The cases by name, the most wanted first: what is left when the time is over comes last."""
    cases: dict[str, dict[str, Any]] = {"limits": {"kind": "limits"}}
    usual = [(name, batches[0]) for name, batches in BATCHES.items()]
    for way in ("bfloat16", "graph", "fused norm", "graph, fused norm"):
        cases |= {f"{name}, batch {batch}: {way}": _rate(name, batch, way) for name, batch in usual}
    for runs in TOGETHER:
        cases |= {f"{name}, batch {batch}: {runs} runs together": _rate(name, batch, "graph", runs) for name, batch in usual}
    for way in ("2019, TF32", "2019, float32", "float32", "TF32"):
        cases |= {f"poster, batch {batch}: {way}": _rate("poster", batch, way) for batch in BATCHES["poster"]}
    for way in ("bfloat16", "graph, fused norm"):
        cases[f"poster, batch 64: {way}"] = _rate("poster", 64, way)
    cases |= {f"{name}: processes on one device": {"kind": "packing", "preset": name} for name in ("demo", "poster")}
    for way in ("compiled", "compiled, graph"):
        cases[f"poster, batch 8: {way}"] = _rate("poster", 8, way)
    return cases


def _rate(name: str, batch: int, way: str, runs: int = 1) -> dict[str, Any]:
    return {"kind": "rate", "preset": name, "batch": batch, "way": way, "runs": runs}


def _in_a_process(args: argparse.Namespace, case: dict[str, Any], seconds: float) -> dict[str, Any]:
    """What a case found, or `error`."""
    if seconds <= 5:
        return {"error": "no time was left"}
    flags = ["--device", args.device, "--measure_seconds", str(args.measure_seconds), "--case", json.dumps(case)]
    command = [sys.executable, str(Path(__file__).resolve()), *flags, "--set", *args.set]
    # A session of its own, so that a case that is cut off takes its processes with it.
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return {"error": f"not done after {seconds:.0f} s"}
    if process.returncode:
        return {"error": next(reversed(err.strip().splitlines()), f"exit code {process.returncode}")[:300]}
    result: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return result


def _run_case(args: argparse.Namespace, kind: str, **case: Any) -> dict[str, Any]:
    if kind == "limits":
        return dict(limits(args.device))
    if kind == "packing":
        config = _config(args, case["preset"], BATCHES[case["preset"]][0], "bfloat16")
        found = measure_packing(config, args.device, (1, 2, 4, 8), min(args.measure_seconds, 3.0))
        return {str(p.trials): p.error or p.images_per_second for p in found} | {"best": best_packing(found).trials}
    return _measure_rate(args, **case)


def _config(args: argparse.Namespace, name: str, batch: int, way: str) -> Config:
    small = _SMALL if args.device == "cpu" else {}
    config = as_measured(preset(name).override({"start": "random", "vgg.weights": "random", **small}), args.set)
    return config.with_batch(batch).override({"optim.precision": "bf16", "model.first_layer": "dense", **WAYS[way]})


def _measure_rate(args: argparse.Namespace, preset: str, batch: int, way: str, runs: int) -> dict[str, Any]:
    """Images/s of all runs together, peak memory, operations a step, and the share of the FLOPs that the device can do."""
    config, device = _config(args, preset, batch, way), torch.device(args.device)
    data = random_batch(config).to(device)
    once = _way_2019(config, device, data) if way.startswith("2019") else _way_of_ours(config, device, data, runs)
    for _ in range(_WARM_STEPS):
        once()
    seconds, count = _seconds_of(once, args.measure_seconds, device)
    rate = count * batch * runs / seconds
    found = {"images_per_second": rate, "milliseconds_a_step": seconds / count * 1e3, "gflop_an_image": count_step(config)[0]}
    found |= {"tflops": found["gflop_an_image"] * rate / 1e3, "operations": count_operations(once)}
    if device.type == "cuda":
        found["peak_gib"] = torch.cuda.max_memory_allocated(device) / 2**30
    return found


def _way_of_ours(config: Config, device: torch.device, data: Any, runs: int) -> Callable[[], Any]:
    first = new_state(config, device)
    states: list[TrainState] = [first, *(new_state(config, device, first.vgg) for _ in range(runs - 1))]
    take = GraphedSteps(device) if config.optim.cuda_graph and device.type == "cuda" else steps
    return lambda: take(states, data, [False] * runs)


def _way_2019(config: Config, device: torch.device, data: Any) -> Callable[[], Any]:
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = config.optim.tf32
    reference = Step2019(config, device)
    on_cpu = data.to(torch.device("cpu"))  # it draws its maps there
    return lambda: reference(on_cpu)


def _seconds_of(once: Callable[[], Any], at_least: float, device: torch.device) -> tuple[float, int]:
    """Seconds and number of steps. The device is waited for at the end only, as in training."""
    _wait_for(device)
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < at_least:
        for _ in range(5):
            once()
        count += 5
        if count % 50 == 0:
            _wait_for(device)  # a queue that runs ahead would take longer to end than it was filled
    _wait_for(device)
    return time.perf_counter() - began, count


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _short(result: dict[str, Any]) -> str:
    return result.get("error") or ", ".join(f"{k} {v:.4g}" for k, v in result.items() if isinstance(v, int | float))


def _ratios(cases: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Images/s of each case to those of one run in bfloat16 without a graph, at the same preset and batch."""
    ratios = {}
    for name, result in cases.items():
        base = cases.get(f"{name.partition(':')[0]}: bfloat16", {})
        if "images_per_second" in result and "images_per_second" in base and result is not base:
            ratios[name] = result["images_per_second"] / base["images_per_second"]
    return ratios


if __name__ == "__main__":
    run_main(main)
