"""Where this machine keeps copies of what lies elsewhere: data sets, weights, and the scratch of unfinished work."""

import hashlib
import os
from pathlib import Path, PurePosixPath


def cache_folder() -> Path:
    """FACEGAN_CACHE, or facegan in XDG_CACHE_HOME or ~/.cache."""
    named = os.environ.get("FACEGAN_CACHE")
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "facegan"


def weights_copy(uri: str) -> Path:
    """Where the copy of weights on object storage belongs."""
    name = PurePosixPath(uri).name
    return cache_folder() / "weights" / f"{hashlib.sha256(uri.encode()).hexdigest()[:12]}-{name}"
