"""What a folder and a bucket have in common."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from facegan.errors import UserError

PARTIAL = ".partial"
"""How files end, and the folder is named, that hold unfinished content. No key has such a part."""


class AlreadyThere(Exception):
    """A conditional write met an existing object."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An object as a listing shows it."""

    key: str
    """Relative to the place."""
    size: int
    """Bytes."""
    tag: str
    """What changes with the content: the ETag, or a file's time of change in nanoseconds."""


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """What the disk refuses as one line for the user; a missing file stays FileNotFoundError."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}; see to that or name another folder") from error


def flush(sink: BinaryIO) -> None:
    """What was written, onto the disk."""
    sink.flush()
    os.fsync(sink.fileno())
