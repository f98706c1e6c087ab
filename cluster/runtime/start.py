"""Join a Ray cluster, or start Ray on this machine, reachable from this machine only."""

import logging
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
import ray._private.utils
from ray._common.utils import get_default_ray_temp_dir
from ray._private.ray_constants import ENABLE_RAY_CLUSTER

from cluster.runtime.ray_folder import check_ray_folder, explain_start, has_room, timed_out
from cluster.runtime.session import end_failed_start, end_with_ray, remove_at_exit

_OBJECT_STORE_BYTES = 200 * 2**20
_ROOT = Path(__file__).parents[2]


def start_ray(cpus: int | None = None) -> None:
    """Connect to RAY_ADDRESS (set inside `ray job submit`) or start Ray here, bound to loopback. Repeated calls do nothing.

    `cpus` limits a Ray that is started here; by default it uses all CPUs of the machine. Raises UserError if Ray's folder has
    no room, and RuntimeError if Ray was imported before `cluster`, since the Ray that is started would then listen on all
    interfaces.
    """
    if ray.is_initialized():
        return
    address = os.environ.get("RAY_ADDRESS")
    print(f"ray      {'joining ' + address if address else 'starting on this machine'}", flush=True)
    # No tables and TensorBoard files of Tune: the console line and MLflow show the study already.
    os.environ |= {"RAY_AIR_NEW_OUTPUT": "0", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1"}
    # A trial that fails is told in a line (cluster.studies.sweep), and again at the study's end.
    os.environ["TUNE_PRINT_ALL_TRIAL_ERRORS"] = "0"
    logging.getLogger("ray.tune.tune").setLevel(logging.CRITICAL)
    # Ctrl-C ends the job at once; trials resume from their checkpoints the next time.
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"
    # Ray raises some of its deprecations as Python warnings in every worker.
    environment = {"PYTHONPATH": str(_ROOT), "PYTHONWARNINGS": "ignore::FutureWarning"}
    quiet = {"logging_level": logging.WARNING, "log_to_driver": False}
    with warnings.catch_warnings(), _handler_of_sigterm_kept():
        warnings.simplefilter("ignore", FutureWarning)
        if address:
            ray.init(runtime_env={"env_vars": environment}, **quiet)
            return
        if ENABLE_RAY_CLUSTER:
            raise RuntimeError(
                "ray was imported before cluster, which sets a variable that Ray reads then: import cluster first"
            )
        # Ray creates a token for this user and explains it at every start.
        logging.getLogger("ray._private.authentication.authentication_token_setup").setLevel(logging.ERROR)
        check_ray_folder()
        # Workers inherit this process's variables. With a runtime_env Ray would start each worker twice.
        usage = {"RAY_USAGE_STATS_ENABLED": os.environ.get("RAY_USAGE_STATS_ENABLED", "0")}
        with explain_start(), _variables({**environment, **usage}):
            session = _start_here(num_cpus=cpus, **quiet)
        remove_at_exit(session)
        end_with_ray()
        token = Path.home() / ".ray" / "auth_token"
        if token.exists():  # Ray makes it readable for all users
            token.chmod(0o600)


@contextmanager
def _handler_of_sigterm_kept() -> Iterator[None]:
    """Ray replaces it, in Python by one that ends without a word, and in C++ by one that prints memory addresses."""
    handler, replace = signal.getsignal(signal.SIGTERM), ray._private.utils.set_sigterm_handler
    ray._private.utils.set_sigterm_handler = lambda _: None
    try:
        yield
    finally:
        ray._private.utils.set_sigterm_handler = replace
        if threading.current_thread() is threading.main_thread():  # elsewhere Python refuses, as it does to Ray
            signal.signal(signal.SIGTERM, handler)


def _start_here(**options: Any) -> Path:
    """Start Ray on this machine, with a second try where it was not there in time; returns its session's folder."""
    local = {"address": "local", "_node_ip_address": "127.0.0.1", "include_dashboard": False}
    options |= {**local, "object_store_memory": _OBJECT_STORE_BYTES}
    folder = Path(get_default_ray_temp_dir())
    try:
        started = ray.init(**options)
    except KeyboardInterrupt:
        end_failed_start(folder)
        raise
    except Exception as error:  # Ray has no class for it
        if not timed_out(error) or not has_room(folder):
            raise
        print("ray      did not start within half a minute, as on a busy machine; trying once more", flush=True)
        end_failed_start(folder)
        started = ray.init(**options)
    return Path(started.address_info["session_dir"])


def start_ray_beside(imports: Callable[[], None]) -> None:
    """Start Ray as `start_ray` does, and meanwhile import what takes seconds and does not import Ray itself.

    A cluster that is joined need not be waited for, so nothing is imported then.
    """
    if os.environ.get("RAY_ADDRESS"):
        start_ray()
        return
    with ThreadPoolExecutor(1, "import") as pool:
        importing = pool.submit(imports)
        start_ray()
    importing.result()


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables while the block runs."""
    before = {name: os.environ.get(name) for name in values}
    os.environ |= values
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def total(resource: str) -> float:
    """Return how much of a resource ("CPU", "GPU") the cluster has."""
    return float(ray.cluster_resources().get(resource, 0))
