"""How close the estimate of a study comes to its actual hours, on three small studies.

The first is priced by a probe and assumed fixed times, the second is the first with more seeds and priced by its own trials,
the third is another design priced by the first (--rates_from).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for a machine where facegan is not installed

from facegan.errors import UserError
from facegan.study.cost.spending import read_spending
from jobs.bench.machine import Parser, machine, positive, run_main, say, write_results

_JOB = Path(__file__).resolve().parents[1] / "ablate.py"
_STUDIES = (
    ("probe", ["--arms", "no_pixel", "full", "--seeds", "0", "--study", "studies/first"], "{seconds}"),
    ("own trials", ["--arms", "no_pixel", "full", "--seeds", "0", "1", "2", "--study", "studies/first"], ""),
    ("another study", ["--design", "loo", "--arms", "no_pixel", "full", "--study", "studies/second"], "studies/first"),
)


def main() -> None:
    """Price and run each study, and write both times as JSON."""
    parser = Parser(__doc__)
    parser.add_argument("--images", type=positive, default=400, help="of a trial")
    parser.add_argument("--people", type=positive, default=80, help="people to train on")
    parser.add_argument("--test_people", type=positive, default=12, help="people to evaluate on")
    parser.add_argument("--probe_seconds", type=positive, default=15, help="for each arm")
    parser.add_argument("--more", default="", help="further flags of jobs/ablate.py, as one text")
    parser.add_argument("--out", type=Path, help="a JSON file for the results")
    args = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name, flags, rates in _STUDIES:
            found.append(_priced_and_run(Path(folder), name, [*_shared(args), *flags], rates, args.probe_seconds))
            study = found[-1]
            say(f"{name}: estimated {study['estimated_s']:.0f} s, took {study['actual_s']:.0f} s, {study['ratio']:.2f}")
    write_results({"conditions": {**machine(), "cores": os.cpu_count(), "images": args.images}, "studies": found}, args.out)


def _shared(args: argparse.Namespace) -> list[str]:
    people = ["--synthetic.people", str(args.people), "--synthetic.test_people", str(args.test_people)]
    return ["--images", str(args.images), *people, *args.more.split()]


def _priced_and_run(folder: Path, name: str, flags: list[str], rates: str, probe_seconds: int) -> dict[str, Any]:
    given = ["--rates_from", rates] if rates.startswith("studies") else []
    plan = json.loads(_run(folder, [*flags, *given, "--plan", "True", "--json", "True", "--probe_seconds", str(probe_seconds)]))
    load, study = os.getloadavg()[0], folder / flags[flags.index("--study") + 1]
    # What an earlier run of the same study took is in both.
    before = read_spending(study).seconds
    _run(folder, [*flags, *given])
    cost = json.loads((study / "summary.json").read_text())["cost"]
    estimated, actual = 3600 * cost["estimated_hours"] - before, 3600 * cost["hours"] - before
    return {
        "rates": name,
        "trials": plan["estimate"]["trials"],
        "planned_s": 3600 * plan["estimate"]["clusters"][0]["wall_hours"],
        "estimated_s": estimated,
        "actual_s": actual,
        "ratio": actual / estimated,
        "load_before": load,
        "load_after": os.getloadavg()[0],
    }


def _run(folder: Path, flags: list[str]) -> str:
    environment = {**os.environ, "FACEGAN_CACHE": str(folder / "cache")}
    done = subprocess.run([sys.executable, str(_JOB), *flags], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"jobs/ablate.py {' '.join(flags)}: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout


if __name__ == "__main__":
    run_main(main)
