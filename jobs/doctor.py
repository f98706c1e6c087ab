"""Check whether this machine can run jobs: one line per check, with the cure of each failure. Exit code 1 if a check fails.

Run it on every node before a study. On a cluster run it also by `ray job submit`, which checks the environment of a job.
"""

import sys
from dataclasses import dataclass

from cluster.cli.command_line import run_job
from cluster.doctor.diagnose import diagnose
from cluster.storage.uri import storage_uri


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """Arguments of jobs/doctor.py."""

    storage: str = ""
    """Folder or s3://bucket/prefix to test by writing, reading and deleting; its server's clock is compared too."""
    mlflow: str = ""
    """MLflow server to check; by default MLFLOW_TRACKING_URI. no: skip this check, as on workers, which do not use MLflow."""


def main(args: Doctor) -> None:
    """Print the result of each check when it is known."""
    if args.storage:
        storage_uri("--storage", args.storage)
    failed = 0
    for result in diagnose(args.storage, args.mlflow):
        print(result, flush=True)
        failed += result.state == "FAIL"
    if failed:
        print(f"{failed} failed checks will stop a job", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    run_job(main, Doctor, __doc__)
