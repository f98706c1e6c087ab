"""Look whether this machine is fit for jobs: one line a check, and the cure of what is not. Exit code 1 if anything fails.

Run it on every node before a study; on a cluster also by `ray job submit`, which looks with a job's eyes.
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
    """A folder or s3://bucket/prefix to write to, read from and delete from, and whose server's clock to compare with."""
    mlflow: str = ""
    """An MLflow server; by default MLFLOW_TRACKING_URI. no: not checked, as on workers, which do not talk to it."""


def main(args: Doctor) -> None:
    """Print the findings as they come."""
    if args.storage:
        storage_uri("--storage", args.storage)
    failed = 0
    for finding in diagnose(args.storage, args.mlflow):
        print(finding, flush=True)
        failed += finding.state == "FAIL"
    if failed:
        print(f"{failed} of these will stop a job", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    run_job(main, Doctor, __doc__)
