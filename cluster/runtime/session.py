"""The folder of a Ray that was started on this machine, with its logs and sockets: removed when its job ends.

Ray keeps such folders for ever, a megabyte for each start.
"""

import atexit
import shutil
from pathlib import Path

import ray
from filelock import FileLock, Timeout

_LOCK = "facegan.lock"


def remove_at_exit(session: Path) -> None:
    """Remove a session's folder when this process ends, and now those of earlier jobs that were killed.

    Sessions that were not passed to this function are left alone.
    """
    lock = FileLock(session / _LOCK)
    lock.acquire()  # released when this process ends, however it ends
    atexit.register(_remove, session, lock)
    for other in session.parent.glob(f"session_*/{_LOCK}"):
        if other.parent != session:
            _remove_if_ended(other)


def _remove(session: Path, lock: FileLock) -> None:
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
