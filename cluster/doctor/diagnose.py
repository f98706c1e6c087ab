"""All checks of a machine, in order."""

import os
from collections.abc import Callable, Iterator

from cluster.doctor.check_result import CheckResult, fail
from cluster.doctor.machine import cache_disk, gpus, open_files, packages, python, shared_memory, temporary_disk, video
from cluster.doctor.services import auth_token, clock, mlflow_server, ports, secret_files, storage


def diagnose(storage_uri: str, mlflow_uri: str) -> Iterator[CheckResult]:
    """Yield the result of each check. Empty URIs are not checked; an exception in a check is a FAIL of that check."""
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
        except Exception as error:  # one broken check must not hide the others
            found = fail(subject, f"the check raised {type(error).__name__}: {error}".splitlines()[0])
        yield from found if isinstance(found, list) else [found]
