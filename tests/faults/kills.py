"""Processes of a study that are killed with SIGKILL, one after another."""

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from mlflow import MlflowClient

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
        seconds = study.until(lambda: goes_on(study, resumed, kept))
        lines = study.console.read_text()[said:].splitlines()
        seen = next((line for line in lines if line.startswith("trial ")), "")
    else:
        study.end(120)
        seen = f"exit code {study.job.returncode}"
        study.start()
        seconds = study.until(lambda: goes_on(study, resumed, kept))
    return Outcome(seen, seconds, sum(trained[key] - kept.get(key, 0) for key in trained))


def goes_on(study: Study, resumed: dict[str, int], kept: dict[str, int]) -> bool:
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


_LONGEST_DELAY = 2.0
_PHASES: dict[str, Callable[[Study], bool]] = {
    "ingest": lambda study: bool(study.said("ingest ")),
    "training": lambda study: sum(study.kept().values()) > 0,
    "scoring": lambda study: any(images == study.length() for images in study.trained().values()),
    "conclusion": lambda study: bool(study.said("report ")),
}
"""How to see that each phase has begun."""


def kill_in_each_phase(study: Study, chance: random.Random) -> list[str]:
    """Kill a process at a random moment of ingest, of training, of scoring and of the conclusion; then run the job to its end.

    Returns what was killed when. Asserts that no run is left running, and none is in MLflow twice.
    """
    told = []
    for phase, has_begun in _PHASES.items():
        _start_if_ended(study)
        study.until(partial(has_begun, study))
        time.sleep(chance.uniform(0, _LONGEST_DELAY))
        which = chance.choice(("driver", "worker")) if study.is_running("worker") else "driver"
        how = signal.SIGINT if which == "driver" and phase == "ingest" else signal.SIGKILL
        study.kill(which, how)
        told.append(f"{phase}: {which} {how.name}")
    _start_if_ended(study)
    assert study.end() == 0, study.console.read_text()[-3000:]
    assert set(study.states()) == {"COMPLETED"}
    _check_mlflow(study)
    return told


def _start_if_ended(study: Study) -> None:
    if study.job is None or study.job.poll() is not None:
        study.start()


def _check_mlflow(study: Study) -> None:
    """Each run is there once and has ended, and no value was sent twice."""
    client = MlflowClient(f"sqlite:///{study.folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("facegan")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 1 + len(study.states()) and {run.info.status for run in runs} == {"FINISHED"}
    for run in runs:
        steps = [metric.step for metric in client.get_metric_history(run.info.run_id, "loss/generator")]
        assert len(set(steps)) == len(steps)
