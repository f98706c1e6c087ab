"""The console's line: share, rate, ETA, arms."""

from dataclasses import replace
from pathlib import Path

import pytest

from cluster.studies import progress
from cluster.studies.progress import following
from facegan.config import Config
from facegan.study.design.arms import choose_design
from facegan.study.design.budget import Budget
from facegan.study.design.plan import Plan, make_plan
from facegan.study.folder.trial_folder import trial_folder
from tests.planning import PLANNED_DATA


@pytest.fixture
def plan(tiny: Config) -> Plan:
    data = PLANNED_DATA
    return make_plan(
        tiny,
        choose_design("figure2", Config()).arms,
        design="figure2",
        preset="demo",
        seeds=(0,),
        candidates=1,
        data=data,
        commit="",
    )


def test_the_line_counts_all_trials(plan: Plan, tmp_path: Path) -> None:
    line = progress._ProgressLine(plan, tmp_path)
    trial_folder(tmp_path, plan.trials[0]).write_state("COMPLETED", images=32, seconds=1, passes={})
    trial_folder(tmp_path, plan.trials[1]).write_state("RUNNING", images=16, seconds=1, passes={})
    said = line.text()
    assert said.startswith("train     38%  48/128 images")
    assert "-Cons. 100%  -Pixel 50%  -Feature 0%  Full 0%" in said


def test_the_line_counts_seconds_where_these_are_the_budget(plan: Plan, tmp_path: Path) -> None:
    timed = replace(plan, budget=Budget("seconds", 10.0))
    line = progress._ProgressLine(timed, tmp_path)
    trial_folder(tmp_path, plan.trials[0]).write_state("COMPLETED", images=320, seconds=11.5, passes={})
    trial_folder(tmp_path, plan.trials[1]).write_state("RUNNING", images=16, seconds=5.0, passes={})
    said = line.text()
    assert said.startswith("train     38%  15/40 s of training")
    assert "-Cons. 100%  -Pixel 50%  -Feature 0%  Full 0%" in said


def test_a_stopped_trial_is_not_waited_for(plan: Plan, tmp_path: Path) -> None:
    line = progress._ProgressLine(plan, tmp_path)
    for trial in plan.trials:
        trial_folder(tmp_path, trial).write_state("STOPPED", images=8, seconds=1, passes={})
    assert "100%  32/32 images" in line.text()


def test_a_broken_view_is_told_and_does_not_end_the_study(
    plan: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise OSError("disk full")

    with following(plan, tmp_path, broken):
        pass
    assert "view     cannot be brought up to date now: OSError: ['disk full']" in capsys.readouterr().out
