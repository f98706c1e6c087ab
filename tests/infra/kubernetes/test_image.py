"""infra/kubernetes/Dockerfile: the linter, the pinned base image and the user. No image is built."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

IMAGE = Path(__file__).parents[3] / "infra" / "kubernetes" / "Dockerfile"


def test_dockerfile_passes_hadolint() -> None:
    linter = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert linter, "not installed: make setup"
    run = subprocess.run([linter, IMAGE], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


def test_image_is_pinned_and_runs_as_an_unprivileged_user() -> None:
    text = IMAGE.read_text()
    assert re.search(r"^ARG BASE=python:\d+\.\d+\.\d+-slim-\w+$", text, re.MULTILINE)
    assert text.count("--constraint constraints.txt") == 2
    assert re.findall(r"^USER (\d+)$", text, re.MULTILINE) == ["1000"]
