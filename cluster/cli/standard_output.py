"""Keep standard output free for a result that a program reads."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def to_standard_error() -> Iterator[None]:
    """While the block runs, what this process and those that it starts write to standard output goes to standard error."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
