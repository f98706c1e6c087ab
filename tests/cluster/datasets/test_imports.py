"""Modules behind the flags of a job load quickly: they import no heavy library before the flags are checked."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "ray", "cv2", "pyarrow", "sklearn", "dlib", "torchmetrics")


@pytest.mark.parametrize(
    "module",
    [
        "cluster.datasets.prepare",
        "cluster.datasets.ingest",
        "cluster.datasets.verify",
        "cluster.datasets.remove",
        "facegan.metrics.evaluation_config",
        "facegan.data.ingest.ingest_config",
    ],
)
def test_modules_behind_flags_import_no_heavy_library(module: str) -> None:
    command = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    root = Path(__file__).parents[3]
    run = subprocess.run([sys.executable, "-c", command], cwd=root, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
