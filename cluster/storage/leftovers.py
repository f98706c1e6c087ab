"""Unfinished files of killed processes."""

import os
import socket

from cluster.storage.objects import PARTIAL
from cluster.storage.uri import StorageURI


def sweep_partials(place: StorageURI) -> None:
    """Remove the unfinished files that processes of this host left in a folder when they were killed."""
    for partial in place.folder.glob(f"**/{PARTIAL}/*+*+*") if not place.is_remote else ():
        if is_left_behind(partial.name):
            partial.unlink(missing_ok=True)


def is_left_behind(name: str) -> bool:
    """Whether `<host>+<pid>+<anything>` names something of a process of this host that is no more."""
    host, pid, _ = name.split("+", 2)
    return host == socket.gethostname() and not _is_alive(int(pid))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # of another user
    return True
