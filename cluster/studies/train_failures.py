"""Failures of the workers of Ray Train, told on the driver's console.

Ray Train calls back in a process of its own on the driver's machine, whose output nobody sees. So the lines go through a file.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ray.train import UserCallback

from cluster.runtime.ticker import every
from facegan.study.folder.trial_folder import reason_of

_LOOK_EVERY_SECONDS = 1.0


@contextmanager
def told_failures(name: str, retries: int) -> Iterator["WorkerFailures"]:
    """Print each failure of a run's workers while the block runs; the callback is for Ray Train."""
    with tempfile.TemporaryDirectory(prefix="facegan-") as folder:
        lines = Path(folder) / "failures"
        lines.touch()
        with lines.open() as stream:

            def tell() -> None:
                print(stream.read(), end="", flush=True)

            with every(_LOOK_EVERY_SECONDS, tell, tell):
                yield WorkerFailures(name, retries, lines)


class WorkerFailures(UserCallback):  # type: ignore[misc]
    """Writes a line for each time that workers of a run fail, after which all start again, up to `retries` times."""

    def __init__(self, name: str, retries: int, lines: Path) -> None:
        self._name, self._retries, self._lines = name, retries, lines
        self._failures = 0

    def after_exception(self, run_context: object, worker_exceptions: Mapping[int, Exception]) -> None:
        self._failures += 1
        then = "is given up" if self._failures > self._retries else "starts again from its checkpoint"
        rank, error = min(worker_exceptions.items())
        line = f"trial    {self._name} failed {self._failures} of {self._retries + 1} times, {then}: "
        with self._lines.open("a") as stream:
            stream.write(f"{line}worker {rank}: {reason_of(error)}\n")
