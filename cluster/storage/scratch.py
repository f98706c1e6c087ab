"""Temporary folders of tasks, on the node's own disk."""

import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.storage.leftovers import is_left_behind
from facegan.cache import cache_folder


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield an empty folder that is removed at the end. Folders of killed processes are removed at the start."""
    home = cache_folder() / "scratch"
    home.mkdir(parents=True, exist_ok=True)
    for stale in home.iterdir():
        if is_left_behind(stale.name):
            shutil.rmtree(stale, ignore_errors=True)
    folder = home / f"{socket.gethostname()}+{os.getpid()}+{secrets.token_hex(8)}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
