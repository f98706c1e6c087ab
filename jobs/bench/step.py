"""The speed and memory of a training step, against the 2019 code and against the limits of the machine, in one run.

Needs torch, numpy, pyarrow and opencv, no Ray and no MLflow. On a GPU: `python jobs/bench/step.py --device cuda`.
"""

import argparse
import dataclasses
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for a machine where facegan is not installed

from facegan.config import GROUPS, Config, LossConfig
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.sources import clips_in
from facegan.data.reading.local_copy import ingest_folder
from facegan.presets import preset
from facegan.synthetic.clips import write_synthetic
from facegan.training.packing import best_packing, measure_packing
from jobs.bench.machine import as_measured, device_parser, machine, medians, parse, positive, run_main, say, write_results
from jobs.bench.process import Measured

OURS, OTHER_LAYER, COMPILED, REFERENCE = "ours", "ours, other first layer", "ours, compiled", "2019"
PARTS = ("steps", "terms", "growth", "packing")
LEFT_OUT = {term: (term,) for term, weight in LossConfig().weights().items() if weight} | {
    "both consistencies": GROUPS["consistency"],
    "perceptual and identity": ("perceptual", "identity"),
}
"""What the table of costs leaves out, by the names in the results file."""


def main() -> None:
    """Measure each part, print its table as soon as it is there, and write all of it as JSON."""
    args = _arguments()
    base = _config(args)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["FACEGAN_CACHE"] = scratch
        bench = _Benches(args, Path(scratch))
        found: dict[str, Any] = {"conditions": _conditions(args, base), "limits": limits(args.device)}
        say(f"limits: {found['limits']}")
        if "steps" in args.parts:
            found["steps"] = against_the_reference(bench, base, found["limits"])
        if "terms" in args.parts:
            found["terms"] = cost_of_terms(bench, at_batch(base, args.small_batch))
        if "growth" in args.parts:
            found["growth"] = growth(bench, base)
        if "packing" in args.parts:
            found["packing"] = packing(args)
    write_results(found, args.out)


def _arguments() -> argparse.Namespace:
    cuda = torch.cuda.is_available()
    parser = device_parser(__doc__)
    parser.add_argument("--preset", default="poster", help="the configuration measured")
    parser.add_argument("--batch", type=positive, default=64 if cuda else 8, help="images a step in the comparison")
    parser.add_argument("--small_batch", type=positive, default=32 if cuda else 2, help="images a step with terms left out")
    parser.add_argument("--rounds", type=positive, default=5, help="interleaved rounds; their median is printed")
    parser.add_argument("--steps", type=positive, default=20 if cuda else 1, help="steps in a round")
    parser.add_argument("--threads", type=positive, default=torch.get_num_threads(), help="threads of a step on the CPU")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=cuda, help="measure torch.compile too")
    parser.add_argument("--parts", nargs="*", default=PARTS, choices=PARTS, help="which tables to make")
    return parse(parser)


def _config(args: argparse.Namespace) -> Config:
    return as_measured(at_batch(preset(args.preset), args.batch), args.set)


def at_batch(config: Config, batch: int) -> Config:
    """The configuration at another batch size, long enough for any number of rounds."""
    return config.with_batch(batch).override({"images": batch * 1000, "report_every": batch, "checkpoint_every": batch})


def _conditions(args: argparse.Namespace, config: Config) -> dict[str, Any]:
    return {
        **machine(args.device),
        "threads": args.threads,
        "rounds": args.rounds,
        "steps_a_round": args.steps,
        "config": config.to_dict(),
    }


class _Benches:
    """Opens measured processes, each on a rendered data set of its configuration's image size."""

    def __init__(self, args: argparse.Namespace, scratch: Path) -> None:
        self.args, self.scratch = args, scratch
        write_synthetic(scratch / "clips", people=6, test_people=2, frames=8, size=160, seed=0, workers=1)

    def open(self, kind: str, config: Config) -> Measured:
        """A process with a step that is warm."""
        bench = Measured(kind, config, self._data(config.data.size), self.args.device, self.args.threads)
        bench.ask("steps", 5 if self.args.device == "cuda" else 1)
        return bench

    def _data(self, size: int) -> Path:
        folder = self.scratch / f"data{size}"
        if not folder.exists():
            clips = self.scratch / "clips"
            ingest_folder(clips_in(clips), clips, folder, IngestConfig(size=size), synthetic=True)
        return folder


def limits(device: str) -> dict[str, float]:
    """GFLOP/s of a large matrix product and GB/s of a large copy: best of several, in the precisions that a step uses."""
    side, items = (8192, 2**28) if device == "cuda" else (2048, 2**25)
    found = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))[: 2 if device == "cuda" else 1]:
        a = torch.randn(side, side, device=device).to(dtype)
        found[f"gflops_{name}"] = 2 * side**3 / _best_seconds(lambda a=a: a @ a, device) / 1e9
    source = torch.randn(items, device=device)
    target = torch.empty_like(source)
    found["gigabytes_a_second"] = 2 * 4 * items / _best_seconds(lambda: target.copy_(source), device) / 1e9
    return found


def _best_seconds(work: Any, device: str) -> float:
    def once() -> float:
        began = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    return min(once() for _ in range(10))


def against_the_reference(bench: _Benches, config: Config, limit: dict[str, float]) -> dict[str, Any]:
    """Our step, ours with the other form of the first layer, and the 2019 way, in turns."""
    other = "sparse" if bench.args.device == "cuda" else "dense"
    kinds = {OURS: config, REFERENCE: config}
    if config.model.maps == "points":
        kinds[OTHER_LAYER] = config.override({"model.first_layer": other})
    if bench.args.compile:
        kinds[COMPILED] = config.override({"optim.compile": True})
    measured = {kind: bench.open(REFERENCE if kind == REFERENCE else OURS, c) for kind, c in kinds.items()}
    rounds: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    for number in range(bench.args.rounds):
        for kind, process in measured.items():
            rounds[kind].append(process.ask("steps", bench.args.steps))
            say(f"round {number + 1}/{bench.args.rounds}: {kind} {rounds[kind][-1]['images_per_second']:.2f} images/s")
    rows = {}
    for kind, process in measured.items():
        peak = process.ask("peak")
        rows[kind] = {**medians(rounds[kind]), "peak_gib": peak, **process.ask("operations"), "split": process.ask("split", 1)}
        bf16 = kind != REFERENCE and bench.args.device == "cuda"
        rows[kind]["share_of_peak"] = (
            rows[kind]["gflop"] * rows[kind]["images_per_second"] / limit[f"gflops_{'bf16' if bf16 else 'fp32'}"]
        )
        rows[kind]["share_of_bandwidth"] = (
            rows[kind]["gigabytes"] * rows[kind]["images_per_second"] / limit["gigabytes_a_second"]
        )
        process.close()
    ratios = {name: _ratio(rounds, name) for name in ("images_per_second", "cpu")}
    ratios["peak_gib"] = rows[OURS]["peak_gib"] / rows[REFERENCE]["peak_gib"]
    _table(
        ("images_per_second", "cpu", "peak_gib", "gflop", "gigabytes", "share_of_peak", "share_of_bandwidth", "input wait"),
        rows,
    )
    _table(sorted(rows[OURS]["split"]), {kind: row["split"] for kind, row in rows.items()})
    say("ours to 2019: " + ", ".join(f"{name} {value:.2f}" for name, value in ratios.items()))
    return {"rows": rows, "ours_to_2019": ratios}


def _ratio(rounds: dict[str, list[dict[str, float]]], name: str) -> float:
    """The median over rounds of ours by theirs: the machine's speed of the moment falls out."""
    return statistics.median(a[name] / b[name] for a, b in zip(rounds[OURS], rounds[REFERENCE], strict=True))


def cost_of_terms(bench: _Benches, config: Config) -> dict[str, Any]:
    """What a step costs without a term, in turns with the full step, and so which share of it the term causes."""
    clock = "cpu" if bench.args.device == "cpu" else "seconds"
    rows: dict[str, dict[str, float]] = {}
    with closing(bench.open(OURS, config)) as full:
        rows["full"] = {**full.ask("steps", bench.args.steps), **full.ask("operations"), "peak_gib": full.ask("peak")}
        rows["full"] |= {"share_of_time": 0.0, "share_of_gflop": 0.0}
        for name, terms in LEFT_OUT.items():
            with closing(bench.open(OURS, config.override({f"loss.{term}": 0.0 for term in terms}))) as without:
                rounds = [
                    (full.ask("steps", bench.args.steps), without.ask("steps", bench.args.steps))
                    for _ in range(bench.args.rounds)
                ]
                row = {
                    **medians([theirs for _, theirs in rounds]),
                    **without.ask("operations"),
                    "peak_gib": without.ask("peak"),
                }
            row["share_of_time"] = 1 - statistics.median(b[clock] / a[clock] for a, b in rounds)
            row["share_of_gflop"] = 1 - row["gflop"] / rows["full"]["gflop"]
            rows[name] = row
            say(f"without {name}: {row['share_of_time']:.0%} of the step's time, {row['share_of_gflop']:.0%} of its operations")
    _table(("images_per_second", "gflop", "share_of_time", "share_of_gflop", "peak_gib"), rows)
    return rows


def growth(bench: _Benches, config: Config) -> list[dict[str, float]]:
    """Step time and memory over batch and pixels: a time an image and pixel that does not grow is linear."""
    full, small = config.optim.batch, bench.args.small_batch
    cases = [(config.data.size, b) for b in sorted({max(1, full // 4), full // 2, full})]
    cases += [
        (size, small) for size in (max(32, config.data.size // 2), config.data.size * 3 // 4 // 16 * 16, config.data.size)
    ]
    rows = []
    for size, batch in dict.fromkeys(cases):
        changed = at_batch(config, batch).override({"data.size": size})
        with closing(bench.open(OURS, changed)) as process:
            row = {"size": size, "batch": batch, **medians([process.ask("steps", bench.args.steps) for _ in range(2)])}
            rows.append({**row, "peak_gib": process.ask("peak")})
        rows[-1]["microseconds_a_pixel"] = rows[-1]["seconds"] / batch / size**2 * 1e6
    _table(
        ("seconds", "microseconds_a_pixel", "peak_gib"), {f"{r['size']:.0f} pixels, batch {r['batch']:.0f}": r for r in rows}
    )
    return rows


def packing(args: argparse.Namespace) -> dict[str, Any]:
    """Several demo-size trials on the device at once."""
    counts = (1, 2, 4, 8, 16, 32) if args.device == "cuda" else (1, 2)
    found = measure_packing(preset("demo"), args.device, counts, seconds=10)
    best = best_packing(found)
    rows = {f"{p.trials} trials": {"images_per_second": p.images_per_second} for p in found}
    _table(("images_per_second",), rows)
    say(f"best: {best.trials} trials, {best.images_per_second / found[0].images_per_second:.2f} times one alone")
    return {"measured": [dataclasses.asdict(p) for p in found], "best": best.trials}


def _table(columns: Iterable[str], rows: dict[str, Any]) -> None:
    columns = list(columns)
    print("\n" + " " * 26 + "".join(f"{c.replace('_', ' '):>22}" for c in columns))
    for name, row in rows.items():
        print(f"{name:<26}" + "".join(f"{row.get(c, float('nan')):>22.3f}" for c in columns))
    print(flush=True)


if __name__ == "__main__":
    run_main(main)
