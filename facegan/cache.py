"""Where this machine keeps local copies: data sets, trained weights, and temporary files of unfinished work."""

import hashlib
import math
import os
from pathlib import Path, PurePosixPath

from facegan.errors import UserError


def cache_folder() -> Path:
    """FACEGAN_CACHE, or `facegan` in XDG_CACHE_HOME or ~/.cache."""
    named = os.environ.get("FACEGAN_CACHE")
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "facegan"


def cache_limit() -> int | None:
    """FACEGAN_CACHE_GB in bytes: the space on disk for a data set, 10^9 bytes each; None if it is not set.

    Raises UserError if it is no number above 0.
    """
    named = os.environ.get("FACEGAN_CACHE_GB", "")
    if not named:
        return None
    try:
        limit = float(named)
    except ValueError:
        limit = 0.0
    if not 0 < limit < math.inf:
        raise UserError(f"FACEGAN_CACHE_GB is {named!r}: a number of gigabytes above 0; unset it for no limit")
    return int(limit * 1e9)


def is_remote(location: str) -> bool:
    """Whether a file or folder is named by a URI, so that this machine needs a local copy of it."""
    return "://" in location


def local_weights(location: str) -> Path:
    """The local path of trained weights: the path itself, or for a URI the location of its copy in the cache.

    Copies are made by the caller (`cluster.storage.weights`); this only says where they are.
    """
    if not is_remote(location):
        return Path(location)
    digest = hashlib.sha256(location.encode()).hexdigest()[:12]
    return cache_folder() / "weights" / f"{digest}-{PurePosixPath(location).name}"
