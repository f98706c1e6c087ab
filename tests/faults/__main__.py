"""All faults, one after another, on a small study; prints the table of jobs/README.md. Half an hour on two cores; root.

    make faults

Ends with the first fault after which a result differs from that of a study to which nothing happened.
"""

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
from tests.faults import outages
from tests.faults.kills import Outcome, differences, kill_in_each_phase, killed
from tests.faults.lab import LENGTH, Study

assert cluster
FULL = ("--arms", "full", *LENGTH)
ROUNDS = 5


def main() -> None:
    """Run all faults, then the kills at random moments, each phase once in each of some rounds."""
    root = Path(tempfile.mkdtemp(prefix="faults"))
    os.environ["FACEGAN_CACHE"] = str(root / "cache")
    reference = _study(root, "reference", FULL)
    reference.start()
    assert reference.end() == 0, reference.console.read_text()[-3000:]
    (data,) = (reference.folder / "data").glob("*/manifest-*.json")
    _Table(root, data.parent, reference.results()).fill()
    shutil.rmtree(root)


def _study(root: Path, name: str, arguments: tuple[str, ...], **more: Any) -> Study:
    return Study(root / name.replace(" ", "-"), arguments, **more)


class _Table:
    def __init__(self, root: Path, data: Path, reference: dict[str, Any]) -> None:
        self.root, self.reference = root, reference
        self.data = data

    def fill(self) -> None:
        print("| fault | what the user sees | seconds until work goes on | images trained again | lost |")
        print("|---|---|---|---|---|", flush=True)
        for which in ("worker", "driver", "raylet", "head"):
            self.row(f"kill -9 of the {which}", partial(self.kill, which=which))
        self.row("Ctrl-C", partial(self.kill, which="driver", how=signal.SIGINT))
        self.row("a node is lost, another joins", outages.a_node_is_lost)
        self.row("MLflow is killed", outages.mlflow_dies)
        self.row("the disk is full, room is made", outages.disk_is_full)
        self.row("the disk of the local copies is full, room is made", outages.cache_is_full)
        self.row("a node is to be taken back, and is", outages.node_is_taken_back)
        self.damage("a shard is damaged", StorageURI(str(self.root / "damaged")))
        with outages.bucket():
            self.damage("a shard is damaged on S3", StorageURI("s3://lab/damaged"))
        for name, fault, seconds in (
            ("S3 answers 503 for a minute", Fault(status=503), 60.0),
            ("S3 closes connections for 20 s", Fault(lost=True), 20.0),
            ("S3 answers after 2 s", Fault(pause=2.0), 20.0),
        ):
            with outages.bucket() as proxy:
                where = f"s3://lab/{name.replace(' ', '-')}"
                self.row(name, partial(outages.storage_fails, proxy=proxy, fault=fault, seconds=seconds), location=where)
        self.diverges()
        print(flush=True)
        for number in range(ROUNDS):
            study = _study(self.root, f"round {number}", FULL)
            kills = kill_in_each_phase(study, random.Random(number))
            self.same(study, f"round {number}")
            print(f"round {number + 1} of {ROUNDS}: " + "; ".join(kills) + "; nothing lost, nothing left", flush=True)

    def row(self, name: str, fault: Callable[[Study], Outcome], **more: Any) -> None:
        study = _study(self.root, name, ("--data", str(self.data), *FULL), **more)
        outcome = fault(study)
        self.same(study, name)
        print(f"| {name} | {outcome.seen} | {outcome.seconds:.0f} | {outcome.again} | nothing |", flush=True)

    def kill(self, study: Study, which: str, how: signal.Signals = signal.SIGKILL) -> Outcome:
        study.start()
        outcome = killed(study, which, how)
        assert study.end() == 0
        return outcome

    def damage(self, name: str, place: StorageURI) -> None:
        # A data set that is named: one that is made from clips in the same job is repaired by it without a word.
        for path in (path for path in self.data.rglob("*") if path.is_file()):
            place.write(path.relative_to(self.data).as_posix(), path.read_bytes())
        environment = {"FACEGAN_CACHE": str(self.root / f"cache of {name}")}
        study = _study(self.root, name, ("--data", str(place), *FULL), environment=environment)
        outcome = outages.a_shard_is_damaged(study, place)
        self.same(study, name)
        print(f"| {name} | {outcome.seen} | {outcome.seconds:.0f} | 0 | nothing |", flush=True)

    def diverges(self) -> None:
        arguments = ("--data", str(self.data), *FULL, "--loss.pixel", "1e38")
        outcome = outages.a_term_is_not_finite(_study(self.root, "diverges", arguments))
        print(f"| a term is not finite | {outcome.seen} | - | 0 | that run |", flush=True)

    def same(self, study: Study, name: str) -> None:
        different, left = differences(study, self.reference), study.left_behind()
        if different or left:
            sys.exit(f"{name}: differs in {different}; left: {left}; see {study.console}")


if __name__ == "__main__":
    main()
