"""How long whole studies take: seconds to the first row and to the end, with another commit in turns.

`short` has 16 arms of 16 images, so that starting and scoring take most of it; `demo` is that of `make ablate`. The data set is
made before. CPU time is of the whole machine, so nothing else should run.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import psutil

from facegan.errors import UserError
from jobs.bench.machine import Parser, machine, medians, positive, run_main, say, write_results

_ROOT = Path(__file__).resolve().parents[2]
_STUDIES = {
    "short": [
        *("--design", "factorial", "--factors", "pixel", "self_consistency", "triple_consistency", "perceptual"),
        *("--seeds", "0", "--images", "16", "--report_every", "8", "--checkpoint_every", "16"),
        *("--gradient_diagnostics_every", "0"),
    ],
    "demo": ["--seeds", "0", "1", "2"],
}
_DATA = ["--arms", "full", "--seeds", "0", "--images", "8", "--report_every", "8", "--checkpoint_every", "8"]
_POLL_SECONDS = 0.05


def main() -> None:
    """Run the studies in turns, and write seconds as JSON."""
    parser = Parser(__doc__)
    parser.add_argument("--study", choices=_STUDIES, default="short")
    parser.add_argument("--rounds", type=positive, default=2)
    parser.add_argument("--against", default="", help="a commit that is run in turns with this checkout")
    parser.add_argument("--more", default="", help="further flags of jobs/ablate.py, as one text")
    parser.add_argument("--out", type=Path, help="a JSON file for the results")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        checkouts = {"now": _ROOT}
        if args.against:
            checkouts[args.against] = _checkout(args.against, Path(scratch) / "before")
        write_results(_measure(args, checkouts, Path(scratch)), args.out)


def _measure(args: argparse.Namespace, checkouts: dict[str, Path], scratch: Path) -> dict[str, Any]:
    flags = [*_STUDIES[args.study], *args.more.split()]
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in checkouts}
    folders = {name: scratch / f"in {number}" for number, name in enumerate(checkouts)}
    for name, checkout in checkouts.items():
        folders[name].mkdir()
        _run(checkout, folders[name], [*_DATA, *args.more.split()])
    for number in range(args.rounds):
        for name, checkout in checkouts.items():
            found = _run(checkout, folders[name], flags)
            rounds[name].append(found)
            say(
                f"round {number + 1}/{args.rounds}  {name}: first row {found['first_row']:.1f} s, end {found['end']:.1f} s, "
                f"CPU time {found['cpu']:.0f} s"
            )
    conditions = {**machine(), "cores": os.cpu_count(), "load": os.getloadavg()[0], "study": args.study, "more": args.more}
    return {"conditions": conditions, "medians": {name: medians(each) for name, each in rounds.items()}, "rounds": rounds}


def _checkout(commit: str, folder: Path) -> Path:
    """The files of a commit in a folder."""
    done = subprocess.run(["git", "-C", str(_ROOT), "archive", "--format=tar", commit], capture_output=True)
    if done.returncode:
        raise UserError(f"--against is {commit!r}: {done.stderr.decode().strip()}")
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", str(folder)], input=done.stdout, check=True)
    return folder


def _run(checkout: Path, folder: Path, flags: list[str]) -> dict[str, float]:
    """Seconds to the first row of any trial and to the end of a new study, and CPU seconds of the machine."""
    shutil.rmtree(folder / "studies", ignore_errors=True)
    # Before the packages of the environment, also in the workers: facegan is installed there from this checkout.
    environment = {**os.environ, "PYTHONPATH": str(checkout), "FACEGAN_CACHE": str(folder / "cache")}
    command, log = [sys.executable, str(checkout / "jobs" / "ablate.py"), *flags], folder / "log"
    busy, began, first = _busy_seconds(), time.monotonic(), 0.0
    with log.open("w") as sink:
        job = subprocess.Popen(command, cwd=folder, env=environment, stdout=sink, stderr=sink)
        try:
            while job.poll() is None:
                if not first and any(path.stat().st_size for path in folder.glob("studies/*/trials/*/metrics.jsonl")):
                    first = time.monotonic() - began
                time.sleep(_POLL_SECONDS)
        finally:
            job.terminate()
            job.wait()
    if job.returncode:
        raise UserError(f"jobs/ablate.py {' '.join(flags)} of {checkout}: {log.read_text().strip().splitlines()[-1]}")
    return {"first_row": first, "end": time.monotonic() - began, "cpu": _busy_seconds() - busy}


def _busy_seconds() -> float:
    """CPU seconds of all processes of the machine since it was booted."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait)


if __name__ == "__main__":
    run_main(main)
