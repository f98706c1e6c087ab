"""The commit of the code that runs, for a study's record of how its results were made."""

import os
import subprocess
from pathlib import Path

_ROOT = Path(__file__).parents[1]
# A cluster's nodes have these and .git, not the rest of the checkout (infra/cluster.yaml).
_CODE = ("facegan", "cluster", "jobs", "pyproject.toml", "constraints.txt")


def code_commit(root: Path = _ROOT) -> str:
    """The short hash of the checkout, with "-dirty" if code that runs differs from it; in an image what FACEGAN_COMMIT says.

    "unknown" where there is neither.
    """
    # Git would lock its index to refresh it, and a job that is killed meanwhile would leave the lock.
    git = ["git", "--no-optional-locks", "-C", str(root)]
    try:
        if Path(_output([*git, "rev-parse", "--show-toplevel"])) != root.resolve():  # of another project
            raise OSError
        commit = _output([*git, "rev-parse", "--short", "HEAD"])
        changed = _output([*git, "status", "--porcelain", "--", *_CODE])
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("FACEGAN_COMMIT", "unknown")
    return f"{commit}-dirty" if changed else commit


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
