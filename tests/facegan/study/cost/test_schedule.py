"""How long runs take, several at once, and what a run takes beside training."""

import itertools

import pytest

from facegan.config import Config
from facegan.study.cost.rates import FixedSeconds, Rates
from facegan.study.cost.schedule import Work, makespan, seconds_of_trial, whole_runs
from facegan.study.design.arms import choose_design
from facegan.study.design.budget import choose_budget
from facegan.study.design.plan import Plan, make_plan
from tests.facegan.study.search.planted_search import candidates_plan
from tests.planning import PLANNED_DATA

FIXED = FixedSeconds(start=3.0, checkpoint=2.0, scoring=5.0, study=40.0, source="by hand")


def plan(config: Config, *arms: str, seeds: tuple[int, ...] = (0,), seconds: float | None = None) -> Plan:
    chosen = choose_design("figure2", config, names=arms).arms
    budget = choose_budget("seconds" if seconds else "images", seconds, config, chosen)
    return make_plan(
        config,
        chosen,
        design="figure2",
        preset="demo",
        seeds=seeds,
        data=PLANNED_DATA,
        commit="",
        budget=budget,
    )


def by_clock(lengths: list[int], at_once: int) -> int:
    """A clock that ticks once a second: at each tick free places take the next runs."""
    waiting, running = list(lengths), list[int]()
    for now in itertools.count():
        running = [end for end in running if end > now]
        while waiting and len(running) < at_once:
            running.append(now + waiting.pop(0))
        if not running:
            return now
    raise AssertionError


@pytest.mark.parametrize("at_once", [1, 2, 3, 7])
@pytest.mark.parametrize("lengths", [[3, 1, 4, 1, 5, 9, 2, 6], [5], [], [2, 2, 2], [1, 1, 1, 9]])
def test_runs_start_in_order_as_places_become_free(lengths: list[int], at_once: int) -> None:
    assert makespan(lengths, at_once) == by_clock(lengths, at_once)


def test_the_last_wave_counts_whole() -> None:
    """Five equal runs on two places take three waves, not two and a half."""
    assert makespan([10.0] * 5, 2) == 30.0


def test_a_trial_is_training_and_its_fixed_part(tiny: Config) -> None:
    study = plan(tiny.override({"images": 32, "checkpoint_every": 16}), "full")
    rates = Rates({"full": 8.0}, "cpu", "", FIXED)
    assert seconds_of_trial(study, study.trials[0], rates) == 3.0 + 32 / 8.0 + 2 * 2.0 + 5.0
    assert seconds_of_trial(study, study.trials[0], Rates({}, "cpu", "", FIXED)) is None
    # The last checkpoint is at the end, wherever that is.
    study = plan(tiny.override({"images": 40, "checkpoint_every": 16}), "full")
    assert seconds_of_trial(study, study.trials[0], rates) == 3.0 + 40 / 8.0 + 3 * 2.0 + 5.0


def test_a_budget_of_seconds_needs_no_rate_for_its_training(tiny: Config) -> None:
    study = plan(tiny.override({"checkpoint_every": 16}), "full", seconds=60.0)
    assert seconds_of_trial(study, study.trials[0], Rates({}, "cpu", "", FIXED)) == 3.0 + 60.0 + 2.0 + 5.0
    assert seconds_of_trial(study, study.trials[0], Rates({"full": 1.0}, "cpu", "", FIXED)) == 3.0 + 60.0 + 4 * 2.0 + 5.0


def test_warm_ups_end_before_the_arms_begin_and_are_not_scored(tiny: Config) -> None:
    study = plan(tiny.override({"images": 32, "warm_up": 16, "checkpoint_every": 16}), "full", seeds=(0, 1))
    rates = Rates({"full": 8.0, "warm_up": 4.0}, "cpu", "", FIXED)
    warm_up, trial = 3.0 + 16 / 4.0 + 2.0, 3.0 + 32 / 8.0 + 2 * 2.0 + 5.0
    found = whole_runs(study, study.trials, study.warm_ups(), rates, 1)
    assert found == Work({"warm_up": 32, "full": 64}, {"warm_up": 2 * warm_up, "full": 2 * trial}, 2 * (warm_up + trial))
    assert whole_runs(study, study.trials, study.warm_ups(), rates, 2).wall_seconds == warm_up + trial
    without = whole_runs(study, study.trials, study.warm_ups(), Rates({"full": 8.0}, "cpu", "", FIXED), 2)
    assert without == Work({"warm_up": 32, "full": 64}, {"warm_up": None, "full": 2 * trial}, None)


def test_a_candidate_has_checkpoints_at_its_rungs_and_is_not_scored(tiny: Config) -> None:
    study = candidates_plan(tiny.override({"checkpoint_every": 56}), "full")
    rates = Rates({"full": 8.0}, "cpu", "", FIXED)
    checkpoints = {56, 112, 168, 216, *study.trials[0].config.checkpoint_at}
    assert len(checkpoints) > 4
    assert seconds_of_trial(study, study.trials[0], rates) == 3.0 + 216 / 8.0 + len(checkpoints) * 2.0
