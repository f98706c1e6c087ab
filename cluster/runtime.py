"""Joining a Ray cluster, or starting one of this machine that only this machine can reach."""

import logging
import os
import warnings
from pathlib import Path

import ray

_OBJECT_STORE_BYTES = 200 * 2**20
_LOOPBACK = "127.0.0.1"


def start_ray() -> str:
    """Connect to RAY_ADDRESS (set inside `ray job submit`) or start Ray here, bound to loopback; returns which."""
    # Ray warns that it will stop hiding GPUs from tasks that ask for none; that suits us.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # Ray prints some of its deprecations as Python warnings in every worker.
    warnings.filterwarnings("ignore", category=FutureWarning, module="ray")
    root = str(Path(__file__).parent.parent)
    workers = {"env_vars": {"PYTHONPATH": root, "PYTHONWARNINGS": "ignore::FutureWarning"}}
    if os.environ.get("RAY_ADDRESS"):
        ray.init(runtime_env=workers, logging_level=logging.WARNING, log_to_driver=False)
        return f"Ray at {os.environ['RAY_ADDRESS']}"
    # Without this Ray replaces 127.0.0.1 by the machine's outside address and listens on all interfaces.
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    ray.init(
        address="local",
        _node_ip_address=_LOOPBACK,
        include_dashboard=False,
        object_store_memory=_OBJECT_STORE_BYTES,
        runtime_env=workers,
        logging_level=logging.WARNING,
        log_to_driver=False,
    )
    # A nested run looks the cluster up again; with another one on the machine it must find this one.
    return "Ray on this machine"


def total(resource: str) -> float:
    """How many CPUs or GPUs the cluster has."""
    return float(ray.cluster_resources().get(resource, 0))
