"""Run jobs as a user does: in a subprocess, in an empty folder, with a very small study."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

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

    def command(self, job: str, *arguments: str) -> list[str]:
        """The command line of a job on the smallest study; an ablation has one seed unless the arguments say otherwise."""
        seeds = ("--seeds", "0") if job == "ablate" and "--seeds" not in arguments else ()
        return [sys.executable, str(ROOT / "jobs" / f"{job}.py"), *SMALLEST, *seeds, *arguments]

    def environment(self) -> dict[str, str]:
        """The environment of this process without variables that name another cluster or server."""
        return {k: v for k, v in os.environ.items() if k not in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI", "PYTHONPATH")}

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

    def study(self) -> Path:
        """The only study in the folder."""
        (found,) = [p.parent for p in (self.folder / "studies").glob("*/plan.json")]
        return found


@pytest.fixture(scope="session")
def jobs_in() -> Callable[[Path], Jobs]:
    """Creates `Jobs` for a folder."""
    return Jobs
