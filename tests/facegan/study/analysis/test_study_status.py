"""The status of a study from its folder: shares, rates, time left, and a running trial without news."""

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from facegan.config import Config
from facegan.report.status_table import status_lines
from facegan.study.analysis.model_selection import SELECTION
from facegan.study.analysis.study_status import study_status
from facegan.study.design.arms import choose_design
from facegan.study.design.budget import Budget
from facegan.study.design.plan import Plan, Trial, make_plan
from facegan.study.folder.trial_folder import MetricsRow, trial_folder
from tests.planning import PLANNED_DATA


@pytest.fixture
def plan(tiny: Config) -> Plan:
    """Four arms with runs of 32 images."""
    design = choose_design("figure2", Config())
    return make_plan(tiny, design.arms, design="figure2", preset="demo", seeds=(0,), data=PLANNED_DATA, commit="")


def write(study: Path, trial: Trial, state: str, images: int, *, ago: float = 0, score: float | None = None) -> None:
    """A trial that trains four images a second, and whose last row is `ago` seconds old."""
    folder = trial_folder(study, trial)
    folder.path.mkdir(parents=True, exist_ok=True)
    for row in range(8, images + 1, 8):
        when = time.time() - ago - (images - row) / 4
        found = {SELECTION: score} if score is not None and row == images else {}
        folder.append_row(MetricsRow(row, row / 4, when, {"loss/pixel": 1.0, **found}))
    os.utime(folder.path / "metrics.jsonl", (time.time() - ago, time.time() - ago))
    folder.write_state(state, images=images, seconds=images / 4, passes={}, error="")  # type: ignore[arg-type]


def test_time_left_is_at_the_rate_of_the_trials_that_run(plan: Plan, tmp_path: Path) -> None:
    write(tmp_path, plan.trials[0], "COMPLETED", 32, score=0.5)
    write(tmp_path, plan.trials[1], "RUNNING", 16)
    write(tmp_path, plan.trials[2], "RUNNING", 8)
    status = study_status(plan, tmp_path)
    assert [trial.share for trial in status.trials] == [1.0, 0.5, 0.25, 0.0]
    assert status.seconds_spent == pytest.approx(14)
    assert status.seconds_left == pytest.approx((16 + 24 + 32) / (4 + 4))
    assert [trial.score for trial in status.trials] == [0.5, None, None, None]
    head, _, _, *rows = status_lines(status)
    assert "SYNTHETIC faces: 44% of 4 trials, 14 s of training spent, ETA 9 s" in head
    assert [row.split() for row in rows] == [
        ["-Cons.", "100%", "-", "0.500", "1", "completed"],
        ["-Pixel", "50%", "4.0", "-", "1", "running"],
        ["-Feature", "25%", "4.0", "-", "1", "running"],
        ["Full", "0%", "-", "-", "1", "pending"],
    ]


def test_a_running_trial_without_news_may_have_ended_with_its_job(plan: Plan, tmp_path: Path) -> None:
    write(tmp_path, plan.trials[0], "RUNNING", 16, ago=119)
    assert not study_status(plan, tmp_path).trials[0].is_silent
    write(tmp_path, plan.trials[1], "RUNNING", 16, ago=121)
    status = study_status(plan, tmp_path)
    assert status.trials[1].is_silent
    assert status.seconds_left == pytest.approx((16 + 16 + 32 + 32) / 4)  # the first one is counted on
    assert any(line.startswith("silent   -Pixel seed 0: no row for 2 min 1 s; if its job") for line in status_lines(status))


def test_a_slow_trial_is_not_silent_between_its_rows(plan: Plan, tmp_path: Path) -> None:
    folder = trial_folder(tmp_path, plan.trials[0])
    folder.path.mkdir(parents=True)
    for images, ago in ((8, 460), (16, 400), (24, 340)):  # a row each minute
        folder.append_row(MetricsRow(images, 1.0, time.time() - ago, {}))
    os.utime(folder.path / "metrics.jsonl", (time.time() - 340, time.time() - 340))
    folder.write_state("RUNNING", images=24, seconds=1.0, passes={})
    assert not study_status(plan, tmp_path).trials[0].is_silent


@pytest.mark.parametrize("hours", [1, -1])
def test_the_clock_of_the_node_that_writes_the_rows_does_not_matter(plan: Plan, tmp_path: Path, hours: float) -> None:
    for trial, ago in zip(plan.trials[:2], (5, 300), strict=True):
        write(tmp_path, trial, "RUNNING", 24)
        folder = trial_folder(tmp_path, trial)
        rows = [replace(row, time=row.time + 3600 * hours) for row in folder.rows()]
        folder.forget_rows_after(0)
        for row in rows:
            folder.append_row(row)
        os.utime(folder.path / "metrics.jsonl", (time.time() - ago, time.time() - ago))
    alive, ended = study_status(plan, tmp_path).trials[:2]
    assert (alive.is_silent, ended.is_silent) == (False, True)
    assert alive.silent_seconds == pytest.approx(5, abs=2) and ended.silent_seconds == pytest.approx(300, abs=2)


@pytest.mark.parametrize("hours", [1, -1])
def test_a_jump_of_this_clock_calls_no_trial_of_a_running_job_silent(
    plan: Plan, tmp_path: Path, hours: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, plan.trials[0], "RUNNING", 16, ago=5)
    write(tmp_path, plan.trials[1], "RUNNING", 16, ago=900)
    real, began = time.time, time.time() - 60
    monkeypatch.setattr(time, "time", lambda: real() + 3600 * hours)
    status = study_status(plan, tmp_path, job_since=began)
    assert [trial.is_silent for trial in status.trials[:2]] == [False, hours > 0]  # of the second an earlier job wrote the rows
    assert all(trial.silent_seconds is None or trial.silent_seconds >= 0 for trial in status.trials)
    assert study_status(plan, tmp_path).trials[0].is_silent == (hours > 0), "as it would be without a job that is known to run"


def test_without_a_job_nothing_runs_after_some_seconds(plan: Plan, tmp_path: Path) -> None:
    """Some seconds, since a folder may be shared by a file system whose locks other machines do not see."""
    write(tmp_path, plan.trials[0], "RUNNING", 16, ago=11)
    write(tmp_path, plan.trials[1], "RUNNING", 32, ago=11)
    write(tmp_path, plan.trials[2], "RUNNING", 16, ago=9)
    trial_folder(tmp_path, plan.trials[3]).path.mkdir(parents=True)
    trial_folder(tmp_path, plan.trials[3]).write_state("RUNNING", images=0, seconds=0.0, passes={})
    status = study_status(plan, tmp_path, has_job=False)
    assert [trial.is_silent for trial in status.trials] == [True, True, False, True]
    assert any(line.endswith("no row yet; its job has ended: run it again") for line in status_lines(status))
    os.utime(trial_folder(tmp_path, plan.trials[2]).path / "metrics.jsonl", (time.time() - 11, time.time() - 11))
    assert "nothing runs" in status_lines(study_status(plan, tmp_path, has_job=False))[0]
    assert not any(trial.is_silent for trial in study_status(plan, tmp_path).trials), "if it is not known whether a job runs"


def test_a_job_that_has_no_trial_yet_works(plan: Plan, tmp_path: Path) -> None:
    assert "its job works, no trial trains" in status_lines(study_status(plan, tmp_path, has_job=True))[0]


def test_a_stopped_trial_is_not_the_best_one(plan: Plan, tmp_path: Path) -> None:
    for trial, state, score in zip(plan.trials[:2], ("COMPLETED", "STOPPED"), (0.8, 0.7), strict=True):
        write(tmp_path, trial, state, 16, score=score)
    status = study_status(plan, tmp_path)
    one_arm = replace(status, trials=tuple(replace(trial, arm="Full") for trial in status.trials))
    assert "0.800" in "".join(status_lines(one_arm)) and "0.700" not in "".join(status_lines(one_arm))


def test_a_trial_that_is_scored_is_not_silent(plan: Plan, tmp_path: Path) -> None:
    write(tmp_path, plan.trials[0], "RUNNING", 32, ago=1000)
    status = study_status(plan, tmp_path)
    assert not status.trials[0].is_silent and status.trials[0].share == 1


def test_nothing_runs_and_a_failure_has_its_reason(plan: Plan, tmp_path: Path) -> None:
    write(tmp_path, plan.trials[0], "RUNNING", 8)
    trial_folder(tmp_path, plan.trials[0]).write_failure(ValueError("the reason"))
    status = study_status(plan, tmp_path)
    assert status.seconds_left is None
    lines = status_lines(status)
    assert "nothing runs" in lines[0] and "FAILED   -Cons. seed 0: the reason" in lines


def test_a_budget_of_seconds_and_runs_that_asha_stopped(plan: Plan, tmp_path: Path) -> None:
    timed = replace(plan, budget=Budget("seconds", 16.0))
    write(tmp_path, plan.trials[0], "RUNNING", 32)
    write(tmp_path, plan.trials[1], "STOPPED", 8)
    status = study_status(timed, tmp_path)
    assert [trial.share for trial in status.trials[:2]] == [0.5, 1.0]
    assert status.seconds_left == pytest.approx(8 + 16 + 16)
