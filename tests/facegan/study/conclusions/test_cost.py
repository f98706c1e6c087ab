"""Estimate against actual, and what is missing from a study that ended at a limit."""

from dataclasses import replace
from pathlib import Path

import pytest

from facegan.config import Config
from facegan.report.study_text import result_lines
from facegan.study.conclusions.cost import summarise_cost
from facegan.study.conclusions.summary import summarise_study
from facegan.study.cost.spending import Forecast, Spending, write_spending
from facegan.study.design.plan import Plan
from tests.facegan.study.planted_study import REFERENCES, finish_trial, make_study, planted_card
from tests.known import known

SPENT = Spending(seconds=4320.0, usd=1.5, usd_per_hour=1.25, forecast=Forecast(4, 3600.0, 1.25, "measured in first"))


@pytest.fixture
def study(tiny: Config, tmp_path: Path) -> Plan:
    plan = make_study(tmp_path, tiny)
    for trial in plan.trials[:3]:
        finish_trial(tmp_path, trial, planted_card(20.0, 0.1, 0.4))
    return plan


def test_a_study_that_no_job_ran_has_no_cost(study: Plan, tmp_path: Path) -> None:
    assert summarise_cost(tmp_path, study) is None


def test_actual_and_estimate(study: Plan, tmp_path: Path) -> None:
    write_spending(tmp_path, SPENT)
    found = known(summarise_cost(tmp_path, study))
    assert (found.hours, found.estimated_hours, found.usd, found.estimated_usd) == (1.2, 1.0, 1.5, 1.25)
    assert found.trial_hours == pytest.approx(3 * 2.0 / 3600)
    (sentence,) = found.sentences
    assert sentence.startswith(
        "Over all jobs its trials ran for 1.20 hours, $1.50; training alone, summed over trials, took 0.1 minutes. "
        "Estimated before: 1.00 hours, $1.25"
    )
    assert sentence.endswith("measured in first; actual over estimate 1.20.")
    assert found.missing == () and not found.limit


def test_an_estimate_for_other_trials_is_left_out(study: Plan, tmp_path: Path) -> None:
    write_spending(tmp_path, replace(SPENT, forecast=Forecast(8, 3600.0, None, "")))
    assert known(summarise_cost(tmp_path, study)).estimated_hours is None


def test_a_limit_and_what_is_missing_are_told_first_on_the_console_and_in_the_summary(study: Plan, tmp_path: Path) -> None:
    write_spending(tmp_path, replace(SPENT, limit="--max_hours 1.2"))
    summary = summarise_study(tmp_path, study, REFERENCES)
    cost = known(summary.cost)
    assert cost.missing == ("Full seed 0",)
    told = cost.sentences[0]
    assert told.startswith("The study ended at its limit, --max_hours 1.2: 1 of 4 trials are missing (Full seed 0).")
    assert "actual over estimate" not in cost.sentences[1]
    assert told in result_lines(summary)
