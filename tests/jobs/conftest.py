"""Run jobs as a user does: in a subprocess, in an empty folder, with a very small study."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest

from cluster.cli.command_line import parse
from facegan.data.ingest.ingest_config import IngestConfig
from facegan.data.ingest.sources import clips_in
from facegan.data.reading.local_copy import ingest_folder
from facegan.synthetic.clips import write_synthetic

ROOT = Path(__file__).parent.parent.parent
SMALLEST = [
    *("--images", "48", "--report_every", "8", "--checkpoint_every", "16"),
    *("--synthetic.people", "5", "--synthetic.test_people", "2", "--synthetic.frames", "5", "--synthetic.side", "96"),
    *(
        "--start",
        "random",
        "--data.size",
        "32",
        "--model.generator_width",
        "4",
        "--model.discriminator_width",
        "4",
        "--vgg.width",
        "4",
    ),
]


@dataclass(frozen=True)
class Jobs:
    """Runs jobs in one folder."""

    folder: Path
    data: Path | None = None
    """The data set of the jobs; without it, each folder's first job renders people and ingests them."""
    cpus: int | None = None
    """Of the Ray that a job starts; by default those of this machine. A trial takes one, and each worker imports torch."""

    def command(self, job: str, *arguments: str) -> list[str]:
        """The command line of a job on the smallest study; an ablation has one seed unless the arguments say otherwise."""
        seeds = ("--seeds", "0") if job == "ablate" and "--seeds" not in arguments else ()
        data = ("--data", str(self.data)) if self.data is not None else ()
        return [sys.executable, str(ROOT / "jobs" / f"{job}.py"), *SMALLEST, *seeds, *data, *arguments]

    def environment(self) -> dict[str, str]:
        """The environment of this process without variables that name another cluster or server."""
        kept = {k: v for k, v in os.environ.items() if k not in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI", "PYTHONPATH")}
        # Threads of so small networks wait for each other, and waiting takes CPU time.
        kept["OMP_NUM_THREADS"] = "1"
        return kept if self.cpus is None else kept | {"RAY_OVERRIDE_RESOURCES": json.dumps({"CPU": self.cpus})}

    def run(self, job: str, *arguments: str) -> str:
        """Run a job until it ends without an error; returns its standard output."""
        done = subprocess.run(
            self.command(job, *arguments),
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    def plan(self, job: str, *arguments: str) -> str:
        """What a job prints with --plan True whose speed is known: in this process, since it needs no Ray."""
        import ray  # after `cluster`, which sets a variable that Ray reads when it is imported

        module = import_module(f"jobs.{job}")
        args = parse(getattr(module, job.capitalize()), "", [*self.command(job, *arguments)[2:], "--plan", "True"])
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(io.StringIO()) as printed:
            module.main(args)
        assert not ray.is_initialized()
        return printed.getvalue()

    def study(self) -> Path:
        """The only study in the folder."""
        (found,) = [p.parent for p in (self.folder / "studies").glob("*/plan.json")]
        return found


@pytest.fixture(scope="session")
def jobs_in() -> Callable[..., Jobs]:
    """Creates `Jobs` for a folder."""
    return Jobs


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data set that a job with the flags of `SMALLEST` makes."""
    clips, data = tmp_path_factory.mktemp("rendered"), tmp_path_factory.mktemp("rendered-data")
    write_synthetic(clips, people=5, test_people=2, frames=5, size=96, seed=0, workers=1)
    ingest_folder(clips_in(clips), clips, data, IngestConfig(size=32, crop_smoothing=10.0), synthetic=True)
    return data


@pytest.fixture
def jobs(tmp_path: Path, rendered: Path) -> Jobs:
    """Jobs in an empty folder, on a data set that all tests share, one trial at a time."""
    return Jobs(tmp_path, rendered, cpus=1)
