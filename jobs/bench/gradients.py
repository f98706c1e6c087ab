"""What gradient diagnostics cost a training run: the loop with them against the same loop without, in turns.

Each preset runs as it is: its networks, its batch size and its gradient_diagnostics_every. A period is the steps from one
measurement of the gradients to the next. `loop` times the training loop over whole periods. On a noisy machine its ratio is
good to a few points only, so `step` derives the cost from pairs of steps: (one with - one without) / one without / steps per
period.
"""

import argparse
import dataclasses
import os
import statistics
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for a machine where facegan is not installed

from facegan.config import Config
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.sources import clips_in
from facegan.data.reading.local_copy import ingest_folder
from facegan.errors import UserError
from facegan.presets import preset
from facegan.synthetic.clips import write_synthetic
from jobs.bench.machine import as_measured, device_parser, machine, medians, parse, positive, run_main, say, write_results
from jobs.bench.process import Measured

BOUND = 0.05
"""The gradient diagnostics may cost this share of a run."""
WITH, WITHOUT = "with anatomy", "without"
"""Keys of the results file, which keeps the names of its first version."""


def main() -> None:
    """Measure each preset, print it as soon as it is there, and write all of it as JSON."""
    args = _arguments()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["FACEGAN_CACHE"] = scratch
        clips = Path(scratch) / "clips"
        write_synthetic(clips, people=6, test_people=2, frames=8, size=160, seed=0, workers=1)
        found: dict[str, Any] = {"conditions": _conditions(args), "bound": BOUND, "presets": {}}
        for name, periods in zip(args.presets, args.periods, strict=True):
            found["presets"][name] = measure(_as_it_runs(preset(name), args.set), clips, args, periods)
    write_results(found, args.out)


def _arguments() -> argparse.Namespace:
    parser = device_parser(__doc__)
    parser.add_argument("--presets", nargs="+", default=["demo", "poster"], help="the configurations measured")
    parser.add_argument("--periods", nargs="+", type=int, default=[5, 1], help="whole periods of the loop, of each preset")
    parser.add_argument("--rounds", type=positive, default=9, help="pairs of a step with and one without; their median counts")
    parser.add_argument("--threads", type=positive, default=1, help="threads on the CPU; a trial has 1")
    args = parse(parser)
    if len(args.periods) != len(args.presets):
        parser.error(
            f"--periods has {len(args.periods)} numbers for {len(args.presets)} presets: one each, 0 to leave the loop out"
        )
    return args


def _conditions(args: argparse.Namespace) -> dict[str, Any]:
    return {**machine(args.device), "threads": args.threads, "rounds": args.rounds, "set": args.set}


def _as_it_runs(config: Config, changed: list[str]) -> Config:
    """A preset without an end, that reports once a period."""
    config = as_measured(config, changed)
    if not config.gradient_diagnostics_every:
        raise UserError(
            "gradient_diagnostics_every is 0: this preset measures no gradients; set it, or name another preset with --presets"
        )
    endless = config.gradient_diagnostics_every * 10**6
    return dataclasses.replace(config, images=endless, checkpoint_every=endless, report_every=config.gradient_diagnostics_every)


def measure(config: Config, clips: Path, args: argparse.Namespace, periods: int) -> dict[str, Any]:
    """The cost of the gradient diagnostics in a configuration, by its loop and by its step."""
    data = clips.parent / f"data{config.data.size}"
    if not data.exists():
        ingest_folder(clips_in(clips), clips, data, IngestConfig(size=config.data.size), synthetic=True)
    steps = config.gradient_diagnostics_every // config.optim.batch
    found: dict[str, Any] = {
        "batch": config.optim.batch,
        "anatomy_every": config.gradient_diagnostics_every,
        "steps_a_period": steps,
    }
    found["terms"] = len(config.loss.active())
    say(f"{config.data.size} pixels, batch {config.optim.batch}: gradient diagnostics every {steps} steps")
    with closing(Measured("ours", config, data, args.device, args.threads)) as process:
        found["step"] = _by_step(process, args.rounds, steps)
    if periods:
        kinds = {WITH: config, WITHOUT: config.override({"gradient_diagnostics_every": 0})}
        # Both with the same history: a process that has measured gradients before has its memory already.
        running = {kind: Measured("ours", c, data, args.device, args.threads) for kind, c in kinds.items()}
        with closing(running[WITH]), closing(running[WITHOUT]):
            found["loop"] = _by_loop(running, periods)
    costs = [
        part[name] for part in (found["step"], found.get("loop", {})) for name in ("cost_cpu", "cost_wall") if name in part
    ]
    say("cost: " + ", ".join(f"{cost:.2%}" for cost in costs) + f"; bound {BOUND:.0%}")
    # Of CPU seconds: with others on the machine the wall clock measures them too.
    return {**found, "holds": all(found[part]["cost_cpu"] < BOUND for part in ("step", "loop") if part in found)}


def _by_step(process: Measured, rounds: int, steps: int) -> dict[str, Any]:
    """Pairs of steps of one process."""
    peaks = []
    for what in ("steps", "steps_with_diagnostics"):
        process.ask(what, 2)
        peaks.append(process.ask("peak"))
    pairs = [(process.ask("steps_with_diagnostics", 1), process.ask("steps", 1)) for _ in range(rounds)]
    found: dict[str, Any] = {"with": medians([a for a, _ in pairs]), "without": medians([b for _, b in pairs])}
    found |= {"peak_gib": peaks[1], "peak_gib_without": peaks[0]}
    for name, clock in (("cost_cpu", "cpu"), ("cost_wall", "seconds")):
        found[name] = statistics.median((a[clock] - b[clock]) / b[clock] for a, b in pairs) / steps
        found[f"{name}_of_the_step"] = found[name] * steps
    say(f"a step with gradient diagnostics takes {1 + found['cost_cpu_of_the_step']:.2f} times the CPU of one without")
    say(f"peak memory {peaks[0]:.2f} GiB without, {peaks[1]:.2f} GiB with")
    return found


def _by_loop(running: dict[str, Measured], periods: int) -> dict[str, Any]:
    """Whole periods in turns, the order changed from one to the next."""
    for process in running.values():
        process.ask("steps", 2)
    rounds = []
    for number in range(periods):
        order = list(running) if number % 2 else list(reversed(running))
        rounds.append({kind: running[kind].ask("loop", 1) for kind in order})
        say(f"period {number + 1}/{periods}: " + ", ".join(f"{k} {r['cpu']:.3f} CPU-s a step" for k, r in rounds[-1].items()))
    costs = {
        name: statistics.median(r[WITH][clock] / r[WITHOUT][clock] for r in rounds) - 1
        for name, clock in (("cost_cpu", "cpu"), ("cost_wall", "seconds"))
    }
    return {"rounds": rounds, **costs}


if __name__ == "__main__":
    run_main(main)
