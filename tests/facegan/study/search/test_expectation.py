"""The price of a search is that of its rule: by hand where all draws agree, and within what is possible where they do not."""

from dataclasses import replace
from pathlib import Path

import pytest

from facegan.config import Config
from facegan.study.cost.rates import FixedSeconds, Rates
from facegan.study.cost.schedule import Work, whole_runs
from facegan.study.design.candidates import SearchSettings
from facegan.study.design.plan import Plan
from facegan.study.search.expectation import expected_work
from facegan.study.search.generations import with_all_candidates
from tests.facegan.study.search.planted_search import IMAGES, RUNGS, candidates_plan, plant
from tests.known import known

NOTHING_FIXED = FixedSeconds(0.0, 0.0, 0.0, 0.0, "")
FAST = Rates({"full": 8.0, "no_pixel": 8.0}, "cpu", "", NOTHING_FIXED)


def expected(plan: Plan, rates: Rates | None = FAST, at_once: int = 1, study: Path | None = None) -> Work:
    return expected_work(plan, plan.run_order(), plan.warm_ups(), rates, at_once, study=study)


def share(plan: Plan, at_once: int) -> float:
    """Expected images, of those of all candidates."""
    return known(expected(plan, at_once=at_once).images["full"]) / (IMAGES * len(plan.trials))


def test_of_three_candidates_one_is_trained_to_the_end(tiny: Config) -> None:
    """Whoever is best: alone at every further rung, it is the best third of it."""
    plan = candidates_plan(tiny, "full", candidates=3)
    images = 2 * RUNGS[0] + IMAGES
    assert expected(plan) == Work({"full": images}, {"full": images / 8}, images / 8)
    assert expected(plan, None) == Work({"full": images}, {"full": None}, None), "images are known without a speed"
    assert known(whole_runs(plan, plan.trials, [], FAST, 1).images["full"]) == 3 * IMAGES


def test_finalists_are_trained_to_the_end(tiny: Config, tmp_path: Path) -> None:
    plan = candidates_plan(tiny, "full", candidates=3)
    plan = replace(plan, search=replace(known(plan.search), finalists=2))
    assert expected(plan).images == {"full": RUNGS[0] + 2 * IMAGES}
    # Two have trained to the end, so the third one does only if it is the best, in a third of the searches.
    for trial in plan.trials[:2]:
        plant(tmp_path, trial, *[(0.5, 0.5, 0.5)] * 4)
    rest = known(expected_work(plan, plan.trials[2:], [], FAST, 1, study=tmp_path).images["full"])
    assert rest == pytest.approx(RUNGS[0] + (IMAGES - RUNGS[0]) / 3, rel=0.3)


def test_twelve_candidates_train_the_share_of_measured_searches(tiny: Config) -> None:
    """jobs/bench/search.py: 27 % of the images with two runs at a time, 29 % with four."""
    plan = candidates_plan(tiny, "full", candidates=12)
    assert share(plan, 2) == pytest.approx(0.27, abs=0.015) and share(plan, 4) == pytest.approx(0.29, abs=0.015)


def test_a_candidate_that_was_paused_is_started_again(tiny: Config) -> None:
    plan = candidates_plan(tiny.override({"checkpoint_every": IMAGES}), "full", candidates=3)
    starts = Rates({"full": 8.0}, "cpu", "", FixedSeconds(100.0, 0.0, 0.0, 0.0, ""))
    seconds = known(expected(plan, starts).wall_seconds) - known(expected(plan).wall_seconds)
    # The best is the last one in a third of the searches: it goes on at once.
    assert 3 * 100 + 1 < seconds < 4 * 100 - 1
    rungs = Rates({"full": 8.0}, "cpu", "", FixedSeconds(0.0, 10.0, 0.0, 0.0, ""))
    assert known(expected(plan, rungs).wall_seconds) - known(expected(plan).wall_seconds) == pytest.approx(10 * 6)


def test_warm_ups_come_first_and_several_run_at_a_time(tiny: Config) -> None:
    plan = candidates_plan(tiny.override({"warm_up": 16}), "full", "no_pixel", candidates=3)
    rates = Rates({**FAST.images_per_second, "warm_up": 4.0}, "cpu", "", NOTHING_FIXED)
    found = expected(plan, rates, at_once=2)
    images = 2 * RUNGS[0] + IMAGES
    assert found.images == {"warm_up": 16, "full": images, "no_pixel": images}
    # Four candidates to the first rung on two places, then both of the best go on.
    assert (2 * RUNGS[0] + IMAGES) / 8 <= known(found.wall_seconds) - 4 < 2 * images / 8


def test_candidates_that_are_not_proposed_yet_are_priced(tiny: Config) -> None:
    plan = candidates_plan(tiny, "full", candidates=9)
    space = known(plan.search).space
    first = candidates_plan(tiny, "full", search=SearchSettings(space, "tpe", 9, 3))
    assert len(first.trials) == 3
    both = with_all_candidates(first)
    assert [trial.candidate for trial in both.trials] == list(range(9)) and len({t.key for t in both.trials}) == 9
    assert both.id() == first.id() and with_all_candidates(both) == both
    images, all_at_once = (known(expected(each).images["full"]) for each in (both, plan))
    assert 9 * RUNGS[0] < images < 9 * IMAGES
    assert known(expected(both, at_once=9).wall_seconds) > known(expected(plan, at_once=9).wall_seconds), "one after the other"
    assert images == pytest.approx(all_at_once, rel=0.2)


def test_of_a_search_that_has_begun_the_rest_is_priced(tiny: Config, tmp_path: Path) -> None:
    plan = candidates_plan(tiny, "full", candidates=3)
    first, second, third = plan.trials
    plant(tmp_path, first, (0.5, 0.5, 0.5), state="PAUSED")
    plant(tmp_path, second, (0.4, 0.4, 0.4), state="PAUSED")
    images = RUNGS[0] + IMAGES - RUNGS[0]
    assert expected(plan, study=tmp_path).images == {"full": images}, "one more comes to the rung, and the best one goes on"
    plant(tmp_path, third, (0.3, 0.3, 0.3), (0.3, 0.3, 0.3), state="PAUSED")
    rest = expected_work(plan, plan.run_order(), [], FAST, 1, study=tmp_path)
    assert rest.images == {"full": IMAGES - RUNGS[1]}, "it is the one that has come furthest"
