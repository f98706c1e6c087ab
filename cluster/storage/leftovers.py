"""Removal of the unfinished files of killed processes."""

import os
import socket

from cluster.storage.objects import PARTIAL
from cluster.storage.uri import StorageURI


def sweep_partials(place: StorageURI) -> None:
    """Remove the unfinished files in a folder whose process ran on this host and has ended. A remote store has none."""
    for partial in place.folder.glob(f"**/{PARTIAL}/*+*+*") if not place.is_remote else ():
        if is_left_behind(partial.name):
            partial.unlink(missing_ok=True)


def is_left_behind(name: str) -> bool:
    """Return whether the process in a name `<host>+<pid>+<anything>` ran on this host and has ended."""
    host, pid, _ = name.split("+", 2)
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it runs, as another user
    return False
