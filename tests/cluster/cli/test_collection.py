"""A job does not look for reference cycles among its packages when it ends, nor often before."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
JOB = """
import atexit, gc
from dataclasses import dataclass
from cluster.cli.command_line import run_job

@dataclass(frozen=True)
class Arguments:
    pass

atexit.register(lambda: print(gc.get_freeze_count(), len(gc.get_objects())))  # the last one to be called
run_job(lambda args: print(*gc.get_threshold()), Arguments, "a job")
"""


def test_nothing_is_searched_for_cycles_when_a_job_ends() -> None:
    done = subprocess.run([sys.executable, "-c", JOB], cwd=ROOT, capture_output=True, text=True, check=True)
    first, last = done.stdout.splitlines()
    frozen, left = map(int, last.split())
    assert frozen > 10_000 and left < 100
    assert int(first.split()[0]) > 700, "Python's own threshold"
