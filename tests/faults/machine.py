"""What happens to a machine: no room in Ray's folder, a clock that jumps, a process that stops answering."""

import errno
import json
import re
import signal
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

from cluster.storage.uri import StorageURI
from cluster.studies.study_store import StudyStore
from facegan.study.analysis.study_status import study_status
from facegan.study.folder.study_folder import read_plan
from tests.faults.kills import Outcome, goes_on
from tests.faults.lab import Study
from tests.faults.outages import make_room, small_disk

HOUR = 3600
SILENT_SECONDS = 15
"""After which the other workers give up one that hangs, in place of ten minutes."""
LONGEST_START = 60
"""Seconds that a worker takes to train on a busy machine."""
UNUSUAL = ("clock ", "trial ", "sync ", "storage ", "waiting ", "Ray's ")
"""How lines of the console start that tell of a fault."""


@contextmanager
def ray_folder(study: Study, megabytes: int) -> Iterator[Path]:
    """A small disk for Ray's folder, at a short path, since Ray's sockets are below it."""
    with tempfile.TemporaryDirectory(prefix="r", dir="/tmp") as place:
        folder = Path(place) / "ray"
        study.environment = {"RAY_TMPDIR": str(folder)}
        with small_disk(folder, f"{megabytes}m"):
            yield folder
            study.left_behind()  # waits for Ray's processes, which write there until they end


def fill(folder: Path) -> None:
    """Leave no byte free on the disk of a folder."""
    with (folder / "fill").open("wb", buffering=0) as stream, _until_full():
        while True:
            stream.write(bytes(4096))


@contextmanager
def _until_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise


def ray_folder_is_full(study: Study) -> Outcome:
    """No room in Ray's folder before the study starts; then room, and the same command. Needs root."""
    with ray_folder(study, 30) as folder:
        fill(folder)
        return _full_then_room(study, folder, began=lambda: True)


def ray_folder_fills(study: Study) -> Outcome:
    """Room in Ray's folder until the study trains; then room again, and the same command. Needs root."""
    with ray_folder(study, 30) as folder:
        return _full_then_room(study, folder, began=lambda: sum(study.kept().values()) > 0)


def _full_then_room(study: Study, folder: Path, began: Callable[[], bool]) -> Outcome:
    study.start()
    study.until(began)
    if not (folder / "fill").exists():
        fill(folder)
    code = study.end(120)
    said = study.said("ablate.py: ")  # Ray's own log may say after it that it cannot be written
    assert code in (1, 2) and str(folder) in said and "Traceback" not in study.console.read_text(), said
    trained, kept, resumed = study.trained(), study.kept(), study.resumed()
    make_room(folder)
    study.start()
    took = study.until(lambda: goes_on(study, resumed, kept))
    assert study.end() == 0
    return Outcome(f"{said}, exit code {code}", took, sum(trained[key] - kept.get(key, 0) for key in trained))


def clock_jumps(study: Study) -> list[Outcome]:
    """The clock of all processes of the study jumps by +1 h, and then by -2 h, while it trains. Needs gcc.

    Asserts that no time in its rows, on its console and in its status is wrong, and that no live run is called dead.
    """
    jump = _with_a_clock(study)
    study.start()
    took = study.until(lambda: sum(study.kept().values()) > 0)
    waited = []
    for hours in (1, -1):
        _check_clock(study)
        before, resumed = sum(study.trained().values()), study.resumed()
        jump(hours)
        seconds = study.until(partial(_has_more, study.trained, before))
        _check_status(study, hours * HOUR)
        took += seconds + study.until(partial(_has_more, study.kept, before))
        assert study.resumed() == resumed, "it started again"
        waited.append(seconds)
    took += study.until(lambda: study.states() == ["COMPLETED"])
    assert study.end() == 0
    _check_times(study, took)
    return [Outcome(_told(study), seconds, 0) for seconds in waited]


def clock_goes_back(study: Study) -> Outcome:
    """The clock goes back by an hour, and then a worker dies: Ray starts no other one; the job is stopped and started again."""
    jump = _with_a_clock(study)
    study.start()
    study.until(lambda: sum(study.kept().values()) > 0)
    _check_clock(study)
    jump(-1)
    study.until(lambda: study.is_running("worker"))
    study.kill("worker")
    study.until(lambda: bool(study.said("trial ") and study.said("clock ")))
    said = study.said("clock ")
    time.sleep(LONGEST_START)
    assert not study.is_running("worker"), "Ray starts a worker: the console need not tell of its clock any more"
    trained, kept, resumed = study.trained(), study.kept(), study.resumed()
    study.kill("driver", signal.SIGINT)
    study.start()
    took = study.until(lambda: goes_on(study, resumed, kept))
    assert study.end() == 0
    return Outcome(said, took, sum(trained[key] - kept.get(key, 0) for key in trained))


def _with_a_clock(study: Study) -> Callable[[int], None]:
    """Give a study's next jobs a clock; returns what lets it be so many hours ahead."""
    library, offset = study.folder / "clock.so", study.folder / "offset"
    source = Path(__file__).with_name("clock.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", str(library), str(source)], check=True)
    study.environment = {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(offset)}

    def jump(hours: int) -> None:
        offset.touch()
        with offset.open("r+b") as stream:  # not a new file: processes have mapped this one
            stream.write(struct.pack("<q", hours * HOUR * 10**9))

    jump(0)
    return jump


def _check_clock(study: Study) -> None:
    """Worker, raylet and head have the clock that jumps."""
    study.until(lambda: study.is_running("worker"))
    for one in (study.find("worker"), study.find("raylet"), study.find("head")):
        assert any(each.path.endswith("/clock.so") for each in one.memory_maps()), one.cmdline()


def _has_more(images: Callable[[], dict[str, int]], before: int) -> bool:
    return sum(images().values()) > before


def _told(study: Study) -> str:
    lines = [line for line in study.console.read_text().splitlines() if line.startswith(UNUSUAL)]
    return "; ".join(lines) or "nothing"


def _check_status(study: Study, moved: int) -> None:
    """What jobs/status.py says, whose clock jumped too; in this process, since the study would end while a job starts."""
    store, now = StudyStore(StorageURI(str(study.study))), time.time
    with patch("time.time", lambda: now() + moved):
        status = study_status(read_plan(store.folder), store.folder, store.job_since(), store.has_job())
    assert status.has_job and not any(trial.is_silent for trial in status.trials), status
    assert 0 <= status.seconds_spent < HOUR / 2, status
    assert status.seconds_left is None or 0 <= status.seconds_left < HOUR / 2, status


def _check_times(study: Study, took: float) -> None:
    """No row is before the one before it, and no run was longer than the study."""
    for path in study.study.glob("trials/*/metrics.jsonl"):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        times = [row["time"] for row in rows]
        assert times == sorted(times) and times[-1] - times[0] < took, times
        assert 0 < rows[-1]["seconds"] < took, rows[-1]
    lines = study.console.read_text()
    assert not re.search(r"ETA \d+ h |ETA -\d|done in \d+ h |done in -", lines), lines


def worker_hangs(study: Study) -> Outcome:
    """A worker of a data-parallel run stops answering; the run starts again from its checkpoint."""
    study.start()
    study.until(lambda: sum(study.kept().values()) > 0)
    hanging = study.find("data-parallel worker")
    hanging.send_signal(signal.SIGSTOP)
    trained, kept, resumed = study.trained(), study.kept(), study.resumed()
    took = study.until(lambda: goes_on(study, resumed, kept))
    assert study.end() == 0 and "failed 1 of 3 times, starts again from its checkpoint" in study.said("trial ")
    return Outcome(_told(study), took, sum(trained[key] - kept.get(key, 0) for key in trained))
