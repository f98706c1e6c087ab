"""A hash of the sources that decide the result of a trial."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import facegan

_NOT_IN_A_TRIAL = (
    *("report", "live", "reenact", "study", "synthetic", "presets.py", "outputs.py", "served_generator.py"),
    *("training/packing.py", "training/flops.py"),
)
"""Parts of facegan that cannot change the result of a trial."""


@cache
def code_version() -> str:
    """A hash of the sources that decide the result of a trial: facegan without the parts in `_NOT_IN_A_TRIAL`."""
    root = Path(facegan.__file__).parent
    sources = [p.relative_to(root) for p in sorted(root.rglob("*.py"))]
    decisive = [p for p in sources if not {p.parts[0], p.as_posix()} & set(_NOT_IN_A_TRIAL)]
    return digest([(str(p), (root / p).read_text()) for p in decisive])


def digest(value: Any) -> str:
    """Twelve hex digits of a value as JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]
