"""How busy a search keeps a cluster: the share of its CPUs that trials hold, on simulated nodes of this machine.

Candidates wait for each other at rungs, and the last ones of a search leave workers idle. Counted from the first trial to the
end of the last candidate, every tenth of a second, by what Ray's scheduler has given away. The share of training is below it,
since a worker also starts, prepares its data and ends. More workers than cores make training slower, not the scheduler.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import cluster  # noqa: F401  # before ray: it sets a variable that Ray reads when it is imported

# isort: split
import ray
from ray.cluster_utils import Cluster

from facegan.errors import UserError
from jobs.bench.machine import Parser, machine, positive, run_main, say, write_results

_JOB = Path(__file__).resolve().parents[1] / "search.py"
_EVERY_SECONDS = 0.1


def main() -> None:
    """Run each search on a cluster of its own, and write the shares as JSON."""
    parser = Parser(__doc__)
    parser.add_argument("--arms", nargs="+", default=["full"], help="of the search")
    parser.add_argument("--candidates", type=positive, default=24, help="of each arm")
    parser.add_argument("--images", type=positive, default=216, help="of a candidate")
    parser.add_argument("--nodes", type=positive, default=2)
    parser.add_argument("--cpus", type=positive, default=2, help="of a node; a trial takes one")
    parser.add_argument("--more", default="", help="further flags of jobs/search.py, as one text")
    parser.add_argument("--out", type=Path, help="a JSON file for the results")
    args = parser.parse_args()
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(args.nodes):
            nodes.add_node(num_cpus=args.cpus)
        ray.init(address=nodes.address, log_to_driver=False, logging_level="warning")
        found = _search(args, nodes.address)
    finally:
        ray.shutdown()
        nodes.shutdown()
    say(f"{found['busy']:.1%} of the CPUs were held over {found['seconds']:.0f} s; {found['training']:.1%} trained")
    shown = {name: getattr(args, name) for name in ("arms", "candidates", "images", "nodes", "cpus")}
    write_results(
        {"conditions": {**machine(), "cores": os.cpu_count(), "load": os.getloadavg()[0], **shown}, **found}, args.out
    )


def _search(args: argparse.Namespace, address: str) -> dict[str, Any]:
    """The shares of a search that a job runs on the cluster. The job ends where its finalists would begin."""
    flags = [
        *("--arms", *args.arms, "--candidates", str(args.candidates), "--images", str(args.images)),
        *("--cpus_per_trial", "1", "--study", "study", *args.more.split()),
    ]
    with tempfile.TemporaryDirectory() as scratch:
        folder, held = Path(scratch), list[tuple[float, float]]()
        study, log = folder / "study-candidates", folder / "log"
        environment = {**os.environ, "RAY_ADDRESS": address, "FACEGAN_CACHE": str(folder / "cache")}
        with log.open("w") as sink:
            job = subprocess.Popen([sys.executable, str(_JOB), *flags], cwd=folder, env=environment, stdout=sink, stderr=sink)
            try:
                while job.poll() is None and not (study / "search.json").exists():
                    time.sleep(_EVERY_SECONDS)
                    if (study / "trials").exists():
                        held.append((time.monotonic(), _held()))
            finally:
                job.terminate()
                job.wait()
        if not (study / "search.json").exists():
            raise UserError(f"jobs/search.py {' '.join(flags)}: {log.read_text().strip().splitlines()[-1]}")
        result = json.loads((study / "search.json").read_text())
    while held and not held[-1][1]:  # after the last candidate
        del held[-1]
    seconds, cpus = held[-1][0] - held[0][0], args.nodes * args.cpus
    return {
        "seconds": seconds,
        "busy": fmean(count for _, count in held) / cpus,
        "training": result["seconds"] / (seconds * cpus),
        "images": result["images"],
        "of_images": result["planned_images"],
    }


def _held() -> float:
    """CPUs that Ray's scheduler has given to trials."""
    return float(ray.cluster_resources()["CPU"] - ray.available_resources().get("CPU", 0.0))


if __name__ == "__main__":
    run_main(main)
