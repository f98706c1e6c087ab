"""The folder of a Ray on this machine, for its logs, its sockets and what Ray Tune writes: it needs room and a short path.

Without room Ray would wait for 40 seconds and then tell of a raylet or of an overloaded server, and Tune would end in a trace.
"""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ray
from ray._common.utils import get_default_ray_temp_dir

from cluster.runtime.session import remove_ended_sessions
from facegan.errors import UserError

_NEEDED_MB = 20
"""A session takes 0.3 MB when training begins. Its logs grow with its length and with the number of its trials."""
_FULL_MB = 1
_ELSEWHERE = "name a folder of another disk, with a short path, in RAY_TMPDIR"


def check_ray_folder() -> None:
    """Raise UserError unless the disk of Ray's folder has room for a session; removes those of jobs that were killed before."""
    folder = Path(get_default_ray_temp_dir())
    remove_ended_sessions(folder)
    free = _free_mb(folder)
    if free < _NEEDED_MB:
        raise UserError(
            f"Ray's folder {folder}: its disk has {free:.1f} MB free, {_NEEDED_MB} are needed; make room, or {_ELSEWHERE}"
        )


@contextmanager
def explain_start() -> Iterator[None]:
    """Turn what Ray raises at its start into a UserError where its folder, or a busy machine, is the reason."""
    try:
        yield
    except Exception as error:  # Ray has no class for it: it only says that its processes did not start in time
        folder = Path(get_default_ray_temp_dir())
        if isinstance(error, OSError) and "AF_UNIX path length" in str(error):
            raise UserError(f"Ray's folder {folder}: its path is too long for sockets; {_ELSEWHERE}") from None
        if not has_room(folder):
            raise UserError(f"Ray's folder {folder}: its disk is full; make room, or {_ELSEWHERE}") from None
        if timed_out(error):
            raise UserError(
                "Ray did not start in time, as on a machine that is too busy; run the same command again when it is not "
                f"(Ray's logs: {folder}/session_latest/logs)"
            ) from None
        raise


def timed_out(error: Exception) -> bool:
    """Whether this is what Ray raises when its processes have not started within half a minute."""
    return "timed out during startup" in str(error)


@contextmanager
def explain_full_folder() -> Iterator[None]:
    """Turn what Tune raises on a full disk into a UserError where it is that of Ray's folder, and else into an OSError."""
    from ray.tune.error import TuneError  # takes two seconds, which starting Ray need not wait for

    try:
        yield
    except (TuneError, OSError) as error:
        # Tune raises some of them as they are, and of others the text of the trace.
        full = error.errno == errno.ENOSPC if isinstance(error, OSError) else f"[Errno {errno.ENOSPC}]" in str(error)
        if not full:
            raise
        session = Path(ray._private.worker._global_node.get_session_dir_path())
        if not has_room(session):
            raise UserError(
                f"Ray's folder {session.parent}: its disk is full; make room and run the same command again to continue"
            ) from None
        if isinstance(error, OSError):
            raise
        raise OSError(errno.ENOSPC, "No space left on device") from None


def has_room(folder: Path) -> bool:
    """Whether the disk of Ray's folder, or of a folder in it, is not full."""
    return _free_mb(folder) >= _FULL_MB


def _free_mb(folder: Path) -> float:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free / 1e6
