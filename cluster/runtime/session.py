"""A Ray that was started on this machine for one job: its folder goes with the job, and the job ends with its processes.

Ray keeps such folders, with logs and sockets, for ever, a megabyte for each start. A driver whose Ray was killed would wait for
a minute, and then end with a dump of its memory addresses.
"""

import atexit
import contextlib
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
import ray
import ray._private.worker
from filelock import FileLock, Timeout
from ray._private.node import Node

_LOCK = "facegan.lock"
_LOOK_EVERY_SECONDS = 1.0
_VITAL = ("gcs_server", "raylet")


def remove_at_exit(session: Path) -> None:
    """Remove a session's folder when this process ends."""
    lock = FileLock(session / _LOCK)
    lock.acquire()  # released when this process ends, however it ends
    atexit.register(_remove, session, lock)


def remove_ended_sessions(folder: Path) -> None:
    """Remove the sessions in Ray's folder of jobs that were killed, as far as `remove_at_exit` was told of them."""
    for lock in folder.glob(f"session_*/{_LOCK}"):
        _remove_if_ended(lock)


def end_failed_start(folder: Path) -> None:
    """End the processes of a Ray that this process has begun to start, and remove its session in Ray's folder.

    Sessions that were passed to `remove_at_exit` are left alone.
    """
    for session in folder.glob(f"session_*_{os.getpid()}"):
        if not (session / _LOCK).exists():
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if any(session.name in word for word in process.cmdline()):
                        _kill([*process.children(recursive=True), process])
            shutil.rmtree(session, ignore_errors=True)


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=10)


def _remove(session: Path, lock: FileLock) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # from somebody who does not want to wait; Ray ends a little later by itself
        signal.signal(number, lambda number, _: os._exit(128 + number))
    node = ray._private.worker._global_node
    if node is not None:
        node.kill_monitor(check_alive=False)  # Ray would ask it to end, in vain, and wait for a second
    ray.shutdown()
    lock.release()
    shutil.rmtree(session, ignore_errors=True)  # a log may be written meanwhile; the next job removes what is left


def _remove_if_ended(path: Path) -> None:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except (Timeout, PermissionError):  # of a running job, or of another user
        return
    lock.release()
    shutil.rmtree(path.parent, ignore_errors=True)


def end_with_ray() -> None:
    """End this process with a line and exit code 1 if one of the processes ends that Ray cannot do without."""
    threading.Thread(target=_end_with_ray, args=(ray._private.worker._global_node,), name="ray", daemon=True).start()


def _end_with_ray(node: Node) -> None:
    while True:
        time.sleep(_LOOK_EVERY_SECONDS)
        dead = [name for name, _ in node.dead_processes() if name in _VITAL]
        if ray._private.worker._global_node is not node or not ray.is_initialized():  # ended by the job itself
            return
        if dead:
            print(
                f"Ray's {' and '.join(dead)} ended unexpectedly, as when it is killed or the machine has no memory left; "
                "run the same command again to continue",
                file=sys.stderr,
                flush=True,
            )
            # No clean end: each part of it would wait for a Ray that is gone.
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            os._exit(1)
