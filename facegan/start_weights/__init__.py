"""Start weights that come with the package, so that a study's arms need not learn to draw a face first.

README.md beside this file is their card: what they were trained on, how, and what they score. jobs/warm_up.py makes them.
This module imports no torch: plans name trials by the hash of these files.
"""

from functools import lru_cache
from pathlib import Path

from facegan.config import SHIPPED_SEEDS
from facegan.errors import UserError
from facegan.files import file_sha256

FOLDER = Path(__file__).parent


def shipped_file(seed: int, folder: Path = FOLDER) -> Path:
    """The file that a run of a seed starts from: the seeds modulo `SHIPPED_SEEDS` have one each."""
    return folder / f"seed{seed % SHIPPED_SEEDS}.safetensors"


def shipped_sha256(seed: int) -> str:
    """The hash of the file that a run of a seed starts from. Raises UserError if it is missing."""
    path = shipped_file(seed)
    try:
        found = path.stat()
        return _sha256(path, found.st_mtime_ns, found.st_size)
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path} is missing or damaged ({reason}); install facegan again, or give --start random") from None


@lru_cache(maxsize=SHIPPED_SEEDS)
def _sha256(path: Path, modified: int, size: int) -> str:
    """Read again only when the file has changed: a plan asks for it for every trial, and for every key of itself."""
    return file_sha256(path)
