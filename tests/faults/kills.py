"""Processes of a study that are killed with SIGKILL, one after another."""

import signal
from dataclasses import dataclass
from typing import Any

from tests.faults.lab import Study


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fault did to a study that went on afterwards."""

    seen: str
    """What the console said, or how the job ended."""
    seconds: float
    """From the fault, or from the next start of the same command, to the next row of a trial."""
    again: int
    """Images that were trained a second time."""


def killed(study: Study, which: str, how: signal.Signals = signal.SIGKILL) -> Outcome:
    """Kill a process of the running study after its next checkpoint, and wait for a new row; starts a job that ended again."""
    assert study.job is not None
    before, said = sum(study.kept().values()), len(study.console.read_text())
    study.until(lambda: sum(study.kept().values()) > before and sum(study.trained().values()) > before)
    study.kill(which, how)
    trained, kept, resumed = study.trained(), study.kept(), study.resumed()
    if which == "worker":
        seconds = study.until(lambda: _goes_on(study, resumed, kept))
        lines = study.console.read_text()[said:].splitlines()
        seen = next((line for line in lines if line.startswith("trial ")), "")
    else:
        study.end(120)
        seen = f"exit code {study.job.returncode}"
        study.start()
        seconds = study.until(lambda: _goes_on(study, resumed, kept))
    return Outcome(seen, seconds, sum(trained[key] - kept.get(key, 0) for key in trained))


def _goes_on(study: Study, resumed: dict[str, int], kept: dict[str, int]) -> bool:
    """Whether a trial was continued, and has a row after its checkpoint."""
    found, trained = study.resumed(), study.trained()
    return any(found[key] != resumed.get(key) and trained[key] > kept.get(key, 0) for key in found)


def differences(study: Study, reference: dict[str, Any]) -> list[str]:
    """Which results differ from those of a study to which nothing happened."""
    found = study.results()
    return [f"{part}: {key}" for part in ("trials", "claims", "states") for key in _different(found[part], reference[part])]


def _different(one: Any, other: Any) -> list[str]:
    if isinstance(one, dict):
        return [key for key in sorted({*one, *other}) if one.get(key) != other.get(key)]
    return [] if one == other else ["all"]
