"""A small study as a user runs it, to which things happen: its processes, its console, and what it leaves.

The whole study takes under a minute: `SMALLEST` of tests/jobs/conftest.py, one arm or a few.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from cluster.storage.uri import StorageURI
from cluster.studies.study_store import StudyStore
from tests.jobs.conftest import Jobs

LENGTH = ("--images", "320", "--checkpoint_every", "32")
_NAMES = {
    "worker": "ray::ImplicitFunc",  # with ".train" after it, but not while Tune takes a report
    "data-parallel worker": "RayTrainWorker",
    "raylet": "raylet/raylet",
    "head": "gcs_server",
}
"""Parts of the command lines of a study's processes."""


@dataclass
class Study:
    """One study in one folder of this machine, run by one job after another."""

    folder: Path
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of its jobs, besides those of this process."""
    location: str = ""
    """Where the study is, if not in the folder `study`."""
    command: str = "ablate"
    """The job that runs it."""
    cpus: int = 1
    """Of its Ray."""
    job: "subprocess.Popen[bytes] | None" = None
    _seen: set[psutil.Process] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.console.touch()

    @property
    def console(self) -> Path:
        """What all of its jobs printed."""
        return self.folder / "console.log"

    @property
    def study(self) -> Path:
        """The study's folder, or the driver's copy of a study in a bucket; it may not exist yet."""
        return StudyStore(StorageURI(self.location)).folder if self.location else self.folder / "study"

    def start(self) -> None:
        """Start the job; the same command each time."""
        jobs = Jobs(self.folder, cpus=self.cpus)
        with self.console.open("ab") as sink:
            self.job = subprocess.Popen(
                jobs.command(self.command, "--study", self.location or str(self.study), *self.arguments),
                cwd=self.folder,
                env=jobs.environment() | dict(self.environment),
                stdout=sink,
                stderr=sink,
                # A background job of a shell ignores SIGINT, and its children inherit this; the tests may run in one.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    def until(self, condition: Callable[[], bool], seconds: float = 1200) -> float:
        """Wait while the job runs, and return how long. An AssertionError if it ends or `seconds` pass before."""
        assert self.job is not None
        began = time.monotonic()
        while not condition():
            ended = self.job.poll() is not None
            if ended or time.monotonic() - began > seconds:
                assert condition(), f"{'it ended' if ended else 'nothing happened'}: {self.console.read_text()[-3000:]}"
            time.sleep(0.02)
        return time.monotonic() - began

    def said(self, start: str) -> str:
        """The last line of the console that starts like this; empty if there is none."""
        lines = [line for line in self.console.read_text(errors="replace").splitlines() if line.startswith(start)]
        return lines[-1] if lines else ""

    def end(self, seconds: float = 600) -> int:
        """Wait for the job's end; returns its exit code."""
        assert self.job is not None
        self.processes()
        return self.job.wait(seconds)

    def kill(self, which: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the driver, or to one worker, the raylet or the head (GCS) of its Ray."""
        assert self.job is not None
        if which == "driver":
            self.processes()
            os.kill(self.job.pid, how)
            self.job.wait(60)
        else:
            self.find(which).send_signal(how)

    def find(self, which: str) -> psutil.Process:
        """One worker, the raylet or the head (GCS) of its Ray, which must run."""
        found = [process for process in self.processes() if _NAMES[which] in " ".join(process.cmdline())]
        assert found, f"no {which} is running"
        return found[0]

    def processes(self) -> list[psutil.Process]:
        """All processes that its jobs started, as far as this was called while they ran, and that still run."""
        if self.job is not None and self.job.poll() is None:
            self._seen.update(psutil.Process(self.job.pid).children(recursive=True))
        return [process for process in self._seen if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]

    def is_running(self, which: str) -> bool:
        """Whether there is such a process."""
        return any(_NAMES[which] in " ".join(process.cmdline()) for process in self.processes())

    def length(self) -> int:
        """Images of a whole run."""
        return int(self.arguments[self.arguments.index("--images") + 1])

    def trained(self) -> dict[str, int]:
        """Images of the last row of each trial."""
        return {path.parent.name: _last_images(path) for path in self.study.glob("trials/*/metrics.jsonl")}

    def kept(self) -> dict[str, int]:
        """Images of the last checkpoint of each trial that has one."""
        found = {}
        for trial in self.study.glob("trials/*"):
            for name in ("checkpoint", "checkpoint.previous"):
                # The first one is missing between the two renames that replace a checkpoint.
                try:
                    found[trial.name] = int(json.loads((trial / name / "state.json").read_text())["images"])
                    break
                except FileNotFoundError:
                    continue
        return found

    def resumed(self) -> dict[str, int]:
        """A number for each trial that changes when a job starts it or continues it."""
        return {path.parent.name: path.stat().st_ino for path in self.study.glob("trials/*/metrics.jsonl")}

    def states(self) -> list[str]:
        """The states of the trials that have one."""
        return [str(json.loads(path.read_text())["state"]) for path in sorted(self.study.glob("trials/*/state.json"))]

    def trials(self) -> dict[str, Any]:
        """Rows and scores of each trial, without what depends on the clock."""
        found = {}
        for folder in sorted((self.study / "trials").iterdir()):
            lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
            rows = [(row["images"], {k: v for k, v in row["metrics"].items() if k != "images_per_second"}) for row in lines]
            scores = folder / "scores.json"
            found[folder.name] = (rows, json.loads(scores.read_text()) if scores.exists() else None)
        return found

    def results(self) -> dict[str, Any]:
        """Rows, scores and states of all trials, and the answers of the study."""
        summary = json.loads((self.study / "summary.json").read_text())
        states = [(trial["key"], trial["state"]) for trial in summary["trials"]]
        return {"trials": self.trials(), "claims": summary["claims"], "states": states}

    def left_behind(self) -> list[str]:
        """Processes, locks and temporary files of jobs that have ended.

        Agents of a Ray whose head and raylet were killed try for a minute to tell the head, so they are waited for.
        """
        deadline = time.monotonic() + 120
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.2)
        unfinished = ("*?.partial", ".partial/*", "*.previous", ".driver")
        return [
            *(" ".join(process.cmdline())[:80] for process in self.processes()),
            *(str(path.relative_to(self.folder)) for name in unfinished for path in self.folder.rglob(name)),
        ]


def _last_images(path: Path) -> int:
    complete = path.read_text().rpartition("\n")[0].splitlines()
    return int(json.loads(complete[-1])["images"]) if complete else 0
