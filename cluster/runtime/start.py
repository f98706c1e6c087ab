"""Join a Ray cluster, or start Ray on this machine, reachable from this machine only."""

import logging
import os
import warnings
from pathlib import Path

import ray

_OBJECT_STORE_BYTES = 200 * 2**20


def start_ray(cpus: int | None = None) -> None:
    """Connect to RAY_ADDRESS (set inside `ray job submit`) or start Ray here, bound to loopback. Repeated calls do nothing.

    `cpus` limits a Ray that is started here; by default it uses all CPUs of the machine.
    """
    if ray.is_initialized():
        return
    address = os.environ.get("RAY_ADDRESS")
    print(f"ray      {'joining ' + address if address else 'starting on this machine'}", flush=True)
    # No tables and TensorBoard files of Tune: the console line and MLflow show the study already.
    os.environ |= {"RAY_AIR_NEW_OUTPUT": "0", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1"}
    # Ctrl-C ends the job at once; trials resume from their checkpoints the next time.
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"
    # Ray raises some of its deprecations as Python warnings in every worker.
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONWARNINGS": "ignore::FutureWarning"}
    quiet = {"logging_level": logging.WARNING, "log_to_driver": False}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        if address:
            ray.init(runtime_env={"env_vars": environment}, **quiet)
            return
        # Otherwise Ray replaces 127.0.0.1 by the machine's outside address and listens on all interfaces.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        # Ray creates a token for this user and explains it at every start.
        logging.getLogger("ray._private.authentication.authentication_token_setup").setLevel(logging.ERROR)
        ray.init(
            address="local",
            num_cpus=cpus,
            _node_ip_address="127.0.0.1",
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            runtime_env={"env_vars": environment},
            **quiet,
        )
        token = Path.home() / ".ray" / "auth_token"
        if token.exists():  # Ray makes it readable for all users
            token.chmod(0o600)


def total(resource: str) -> float:
    """Return how much of a resource ("CPU", "GPU") the cluster has."""
    return float(ray.cluster_resources().get(resource, 0))
