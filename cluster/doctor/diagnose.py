"""Is this machine fit for a job? All checks in order; each says one line, with its cure where it fails."""

import os
from collections.abc import Callable, Iterator

from cluster.doctor.check_result import CheckResult, fail
from cluster.doctor.machine import cache_disk, gpus, open_files, packages, python, shared_memory, temporary_disk, video
from cluster.doctor.services import auth_token, clock, mlflow_server, ports, secret_files, storage


def diagnose(storage_uri: str, mlflow_uri: str) -> Iterator[CheckResult]:
    """The findings as they come; empty URIs are not checked. What a check did not foresee is a FAIL of that check."""
    checks: list[tuple[str, Callable[[], CheckResult | list[CheckResult]]]] = [
        ("python", python),
        ("packages", packages),
        ("GPU", gpus),
        ("video", video),
        ("cache disk", cache_disk),
        ("/tmp disk", temporary_disk),
        ("open files", open_files),
        ("/dev/shm", shared_memory),
        ("ports", ports),
        ("Ray token", auth_token),
        ("secrets", secret_files),
        ("storage", lambda: storage(storage_uri)),
        ("clock", lambda: clock(storage_uri)),
        ("MLflow", lambda: mlflow_server(mlflow_uri or os.environ.get("MLFLOW_TRACKING_URI", ""))),
    ]
    for subject, check in checks:
        try:
            found = check()
        except Exception as error:  # one broken check must not hide the others; it is said, and fails
            found = fail(subject, f"the check itself broke: {type(error).__name__}: {error}".splitlines()[0])
        yield from found if isinstance(found, list) else [found]
