"""The progress line of a study: share done, amount, rate, remaining time and arms."""

from dataclasses import replace
from pathlib import Path

import pytest

from facegan.config import Config
from facegan.report.progress_line import ProgressLine
from facegan.study.design.arms import choose_design
from facegan.study.design.budget import Budget
from facegan.study.design.plan import Plan, make_plan
from facegan.study.folder.trial_folder import trial_folder
from tests.planning import PLANNED_DATA


@pytest.fixture
def plan(tiny: Config) -> Plan:
    return make_plan(
        tiny,
        choose_design("figure2", Config()).arms,
        design="figure2",
        preset="demo",
        seeds=(0,),
        data=PLANNED_DATA,
        commit="",
    )


def test_it_counts_the_images_of_all_trials(plan: Plan, tmp_path: Path) -> None:
    line = ProgressLine(plan, tmp_path)
    trial_folder(tmp_path, plan.trials[0]).write_state("COMPLETED", images=32, seconds=1, passes={})
    trial_folder(tmp_path, plan.trials[1]).write_state("RUNNING", images=16, seconds=1, passes={})
    text = line.text()
    assert text.startswith("train     38%  48/128 images")
    assert "-Cons. 100%  -Pixel 50%  -Feature 0%  Full 0%" in text


def test_it_counts_seconds_if_these_are_the_budget(plan: Plan, tmp_path: Path) -> None:
    timed = replace(plan, budget=Budget("seconds", 10.0))
    line = ProgressLine(timed, tmp_path)
    trial_folder(tmp_path, plan.trials[0]).write_state("COMPLETED", images=320, seconds=11.5, passes={})
    trial_folder(tmp_path, plan.trials[1]).write_state("RUNNING", images=16, seconds=5.0, passes={})
    text = line.text()
    assert text.startswith("train     38%  15/40 s of training")
    assert "-Cons. 100%  -Pixel 50%  -Feature 0%  Full 0%" in text


def test_a_stopped_trial_counts_as_done(plan: Plan, tmp_path: Path) -> None:
    line = ProgressLine(plan, tmp_path)
    for trial in plan.trials:
        trial_folder(tmp_path, trial).write_state("STOPPED", images=8, seconds=1, passes={})
    assert "100%  32/32 images" in line.text()


def test_a_resumed_trial_that_goes_back_to_its_checkpoint_gives_no_negative_rate(plan: Plan, tmp_path: Path) -> None:
    folder = trial_folder(tmp_path, plan.trials[0])
    folder.write_state("RUNNING", images=24, seconds=1, passes={})
    line = ProgressLine(plan, tmp_path)
    folder.write_state("RUNNING", images=16, seconds=1, passes={})
    assert " 0 images/s  ETA -" in line.text()
    folder.write_state("RUNNING", images=20, seconds=1, passes={})
    assert "-" not in line.text().partition("images/s")[0]


def test_the_warm_ups_are_shown_until_they_end(plan: Plan, tiny: Config, tmp_path: Path) -> None:
    branched = replace(plan, base=tiny.override({"warm_up": 16}))
    (warm_up,) = branched.warm_ups()
    line = ProgressLine(branched, tmp_path)
    trial_folder(tmp_path, warm_up).write_state("RUNNING", images=8, seconds=1, passes={})
    assert line.text() == "warm-up   50%  8/16 images of 1 runs that the arms branch from"
    trial_folder(tmp_path, warm_up).write_state("COMPLETED", images=16, seconds=1, passes={})
    assert line.text().startswith("train      0%  0/128 images")
