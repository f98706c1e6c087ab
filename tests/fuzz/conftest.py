"""Where hypothesis keeps its files, and the number of inputs of each kind, which is printed at the end."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from tests.fuzz.inputs import COUNTS

# When this file is imported, since it writes before the first test. By default it leaves a folder in the repository.
set_hypothesis_home_dir(Path(tempfile.gettempdir()) / f"hypothesis-{os.getuid()}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many inputs of each kind were read and used, and how many were refused in one line."""
    for kind, counts in sorted(COUNTS.items()):
        terminalreporter.write_line(f"fuzz     {kind}: {counts['inputs']} inputs, {counts['refused']} refused in one line")
