"""Progress of a study on the console, and a tracker that fails meanwhile."""

import threading
import time
from pathlib import Path

import pytest

from cluster.storage.uri import StorageURI
from cluster.studies.progress import show_progress
from cluster.studies.study_store import StudyStore
from facegan.config import Config
from facegan.errors import UserError
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import Plan, make_plan
from tests.planning import PLANNED_DATA


def plan_of(tiny: Config) -> Plan:
    arms = choose_design("figure2", Config()).arms
    return make_plan(tiny, arms, design="figure2", preset="demo", seeds=(0,), data=PLANNED_DATA, commit="")


def test_a_sync_that_fails_is_reported_once_and_does_not_end_the_study(
    tiny: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.studies.progress._SYNC_EVERY_SECONDS", 0.01)
    outcomes: list[Exception | None] = [OSError("no route to host\nmore lines"), OSError("no route to host"), UserError("down")]
    tried, done = 0, threading.Event()

    def sync() -> None:
        nonlocal tried
        tried += 1
        if tried > len(outcomes):
            done.set()
        elif error := outcomes[tried - 1]:
            raise error

    with show_progress(plan_of(tiny), StudyStore(StorageURI(str(tmp_path))), sync):
        assert done.wait(30)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("sync")] == [
        "sync     not sent yet, training goes on: OSError: no route to host",
        "sync     not sent yet, training goes on: down",
        "sync     sent again, with all that was missing",
    ]
    assert any(line.startswith("train      0%  0/128 images") for line in lines)


def test_a_sync_that_hangs_does_not_hold_up_the_lines(
    tiny: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_SYNC_EVERY_SECONDS", "_LINE_EVERY_SECONDS"):
        monkeypatch.setattr(f"cluster.studies.progress.{name}", 0.01)
    ended, lines = threading.Event(), ""

    def hang() -> None:
        ended.wait(30)

    with show_progress(plan_of(tiny), StudyStore(StorageURI(str(tmp_path))), hang):
        for _ in range(3_000):
            time.sleep(0.01)
            lines += capsys.readouterr().out
            if lines.count("train ") > 2:
                break
        ended.set()
    assert lines.count("train      0%") > 2


def test_a_clock_that_goes_back_is_told_once(
    tiny: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray's timers go by it."""
    for name in ("_SYNC_EVERY_SECONDS", "_LINE_EVERY_SECONDS"):
        monkeypatch.setattr(f"cluster.studies.progress.{name}", 0.04)
    now, lines = time.time, ""
    with show_progress(plan_of(tiny), StudyStore(StorageURI(str(tmp_path))), lambda: None):
        for moved in (3600, 3590, -3610):  # forward, a small correction, back by two hours
            monkeypatch.setattr("time.time", lambda moved=moved: now() + moved)
            time.sleep(0.3)
        lines = capsys.readouterr().out
    assert [line[:44] for line in lines.splitlines() if line.startswith("clock")] == [
        "clock    it went back by 2 h 0 min: Ray may "
    ]
