"""All faults, one after another, on a small study; prints the table of jobs/README.md. Half an hour on two cores; root, gcc.

    make faults
    .venv/bin/python -m tests.faults --only clock 'kill -9 of the head'    # rows whose names have these parts

Ends with the first fault after which a result differs from that of a study to which nothing happened.
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cluster  # sets variables before Ray is imported
from cluster.storage.uri import StorageURI
from tests.cluster.storage.proxy import Fault
from tests.faults import machine, outages
from tests.faults.kills import Outcome, differences, kill_in_each_phase, killed
from tests.faults.lab import LENGTH, Study

assert cluster
FULL = ("--arms", "full", *LENGTH)
ROUNDS = 5


def main() -> None:
    """Run all faults, then the kills at random moments, each phase once in each of some rounds; or some of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", metavar="PART", help="rows whose names have one of these parts")
    parts = parser.parse_args().only or [""]
    root = Path(tempfile.mkdtemp(prefix="faults"))
    table = _Table(root)
    chosen = {name: run for name, run in table.rows().items() if any(part in name for part in parts)}
    if not chosen:
        parser.error(f"--only is {' '.join(parts)!r}: no row has it; rows: {'; '.join(table.rows())}")
    os.environ["FACEGAN_CACHE"] = str(root / "cache")
    table.prepare()
    print("| fault | what the user sees | seconds until work goes on | images trained again | lost |")
    print("|---|---|---|---|---|", flush=True)
    for run in chosen.values():
        run()
    shutil.rmtree(root)


def _study(root: Path, name: str, arguments: tuple[str, ...], **more: Any) -> Study:
    return Study(root / name.replace(" ", "-"), arguments, **more)


class _Table:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.reference: dict[str, Any] = {}
        self.data = Path()

    def prepare(self) -> None:
        """Run the study to which nothing happens."""
        reference = _study(self.root, "reference", FULL)
        reference.start()
        assert reference.end() == 0, reference.console.read_text()[-3000:]
        (manifest,) = (reference.folder / "data").glob("*/manifest-*.json")
        self.data, self.reference = manifest.parent, reference.results()

    def rows(self) -> dict[str, Callable[[], None]]:
        """What prints each row, by its name."""
        faults: dict[str, Callable[[Study], Outcome | list[Outcome]]] = {
            **{f"kill -9 of the {which}": partial(self.kill, which=which) for which in ("worker", "driver", "raylet", "head")},
            "Ctrl-C": partial(self.kill, which="driver", how=signal.SIGINT),
            "SIGTERM": partial(self.kill, which="driver", how=signal.SIGTERM),
            "a node is lost, another joins": outages.a_node_is_lost,
            "MLflow is killed": outages.mlflow_dies,
            "the disk is full, room is made": outages.disk_is_full,
            "the disk of the local copies is full, room is made": outages.cache_is_full,
            "Ray's folder is full, room is made": machine.ray_folder_is_full,
            "Ray's folder fills while it trains, room is made": machine.ray_folder_fills,
            "a node is to be taken back, and is": outages.node_is_taken_back,
            "the clock jumps by +1 h, then by -2 h": machine.clock_jumps,
            "the clock goes back by 1 h, then a worker is killed": machine.clock_goes_back,
        }
        outages_of_storage = {
            "S3 answers 503 for a minute": (Fault(status=503), 60.0),
            "S3 closes connections for 20 s": (Fault(lost=True), 20.0),
            "S3 answers after 2 s": (Fault(pause=2.0), 20.0),
        }
        return {
            **{name: partial(self.row, name, fault) for name, fault in faults.items()},
            "a worker hangs": self.hangs,
            "a shard is damaged": self.damage,
            "a shard is damaged on S3": self.damage_on_s3,
            **{name: partial(self.storage, name, *how) for name, how in outages_of_storage.items()},
            "a term is not finite": self.diverges,
            "kills at random moments": self.kills,
        }

    def row(self, name: str, fault: Callable[[Study], Outcome | list[Outcome]], **more: Any) -> None:
        study = _study(self.root, name, ("--data", str(self.data), *FULL), **more)
        outcome = fault(study)
        self.same(study, name)
        _print(name, *(outcome if isinstance(outcome, list) else [outcome]))

    def kill(self, study: Study, which: str, how: signal.Signals = signal.SIGKILL) -> Outcome:
        study.start()
        outcome = killed(study, which, how)
        assert study.end() == 0
        return outcome

    def storage(self, name: str, fault: Fault, seconds: float) -> None:
        with outages.bucket() as proxy:
            where = f"s3://lab/{name.replace(' ', '-')}"
            self.row(name, partial(outages.storage_fails, proxy=proxy, fault=fault, seconds=seconds), location=where)

    def damage(self) -> None:
        self._damage("a shard is damaged", StorageURI(str(self.root / "damaged")))

    def damage_on_s3(self) -> None:
        with outages.bucket():
            self._damage("a shard is damaged on S3", StorageURI("s3://lab/damaged"))

    def _damage(self, name: str, place: StorageURI) -> None:
        # A data set that is named: one that is made from clips in the same job is repaired by it without a word.
        for path in (path for path in self.data.rglob("*") if path.is_file()):
            place.write(path.relative_to(self.data).as_posix(), path.read_bytes())
        environment = {"FACEGAN_CACHE": str(self.root / f"cache of {name}")}
        study = _study(self.root, name, ("--data", str(place), *FULL), environment=environment)
        outcome = outages.a_shard_is_damaged(study, place)
        self.same(study, name)
        _print(name, outcome)

    def hangs(self) -> None:
        # Of a run on two workers, whose sums differ in the last digits from those of one process.
        arguments = ("--data", str(self.data), *LENGTH, "--workers", "2", "--silent_seconds", str(machine.SILENT_SECONDS))
        whole, study = (_study(self.root, name, arguments, command="train", cpus=2) for name in ("no worker hangs", "hangs"))
        whole.start()
        assert whole.end() == 0, whole.console.read_text()[-3000:]
        outcome = machine.worker_hangs(study)
        self.same(study, "a worker hangs", whole.results())
        _print("a worker hangs", outcome)

    def diverges(self) -> None:
        arguments = ("--data", str(self.data), *FULL, "--loss.pixel", "1e38")
        outcome = outages.a_term_is_not_finite(_study(self.root, "diverges", arguments))
        print(f"| a term is not finite | {outcome.seen} | - | 0 | that run |", flush=True)

    def kills(self) -> None:
        print(flush=True)
        for number in range(ROUNDS):
            study = _study(self.root, f"round {number}", FULL)
            kills = kill_in_each_phase(study, random.Random(number))
            self.same(study, f"round {number}")
            print(f"round {number + 1} of {ROUNDS}: " + "; ".join(kills) + "; nothing lost, nothing left", flush=True)

    def same(self, study: Study, name: str, reference: dict[str, Any] | None = None) -> None:
        different, left = differences(study, reference or self.reference), study.left_behind()
        if different or left:
            sys.exit(f"{name}: differs in {different}; left: {left}; see {study.console}")


def _print(name: str, *outcomes: Outcome) -> None:
    seconds = ", ".join(f"{outcome.seconds:.1f}" for outcome in outcomes)
    seen = " / ".join(dict.fromkeys(outcome.seen for outcome in outcomes))
    print(f"| {name} | {seen} | {seconds} | {sum(outcome.again for outcome in outcomes)} | nothing |", flush=True)


if __name__ == "__main__":
    main()
