"""A search with a limit: it goes on as a search as long as its best candidates and the finalists still fit."""

from dataclasses import replace
from pathlib import Path

import pytest

from facegan.config import Config
from facegan.errors import UserError
from facegan.study.cost.limit import Limit
from facegan.study.cost.rates import FixedSeconds, Rates
from facegan.study.cost.spending import Spending, write_spending
from facegan.study.design.plan import Plan
from facegan.study.search.halving import Halving
from facegan.study.search.limit import SearchLimit
from facegan.study.search.objectives import Measured
from facegan.study.search.replay import Replayed, replay
from facegan.study.search.rungs import Rungs
from tests.facegan.study.search.planted_search import candidates_plan
from tests.known import known

WHOLE = 27.0
"""Seconds of a whole run of 216 images."""
RATES = Rates({"full": 8.0, "no_pixel": 8.0, "warm_up": 8.0}, "cpu", "by hand", FixedSeconds(0.0, 0.0, 5.0, 0.0, ""))
REPORTS = 2 * 20.0
"""Seconds of the driver after the finalists, with a margin of as many."""


@pytest.fixture
def plan(tiny: Config) -> Plan:
    """Two arms of six candidates."""
    return candidates_plan(tiny, "full", "no_pixel", candidates=6)


def reserve(runs: int) -> float:
    """Of so many runs that train the finalists, one after the other, with the margin of 10 %."""
    return 1.1 * runs * (WHOLE + 5.0) + REPORTS


def limited(
    plan: Plan, study: Path, seconds: float | None, usd: float | None = None, rates: Rates | None = RATES
) -> SearchLimit:
    return SearchLimit(Limit(plan, study, seconds, usd, rates), seeds=2, at_once=1)


def halving(plan: Plan, limit: SearchLimit | None) -> Halving:
    arms = {trial.key: trial.arm for trial in plan.trials}
    rungs = {arm.name: Rungs(plan.trials[0].config.checkpoint_at) for arm in plan.arms}
    fits = {"fits": limit.fits} if limit else {}
    return Halving(arms, rungs, [t.key for t in plan.run_order()], (), lambda: True, (), known(plan.search).finalists, **fits)


def search(plan: Plan, study: Path, limit: SearchLimit | None, slower: float = 1.0) -> Replayed:
    """Run a search of one place whose clock is written to cost.json; later candidates are better."""
    clock = 0.0

    def seconds(key: str, start: int, end: int, starts: bool) -> float:
        nonlocal clock
        length = slower * (end - start) / 8.0
        clock += length
        write_spending(study, Spending(seconds=clock))
        return length

    scores = {trial.key: 1.0 - trial.candidate / 20 for trial in plan.trials}
    write_spending(study, Spending())
    return replay(
        halving(plan, limit),
        {trial.key: (*trial.config.checkpoint_at, trial.config.images) for trial in plan.trials},
        lambda key, images: Measured(images, (scores[key],) * 3, scores[key], True),
        seconds,
        1,
    )


def whole_by_arm(plan: Plan, found: Replayed) -> dict[str, int]:
    return {arm.name: sum(t.arm == arm.name for t in plan.trials if t.key in found.whole) for arm in plan.arms}


@pytest.mark.parametrize("finalists", [1, 2])
def test_a_search_uses_the_time_that_the_finalists_leave(plan: Plan, tmp_path: Path, finalists: int) -> None:
    plan = replace(plan, search=replace(known(plan.search), finalists=finalists))
    kept, least = reserve(2 * 2 * (finalists + 1)), 1.1 * WHOLE * 2 * finalists
    unlimited, begun_before = search(plan, tmp_path, None), 0
    for more in (0.1, 60.0, 1000.0):
        found = search(plan, tmp_path, limited(plan, tmp_path, kept + least + more))
        begun = sum(images > 0 for images in found.images.values())
        assert found.wall_seconds <= least + more and begun >= begun_before
        assert min(whole_by_arm(plan, found).values()) >= finalists, "enough of each arm trained to the end"
        begun_before = begun
    assert found == unlimited and begun == 12
    tight = search(plan, tmp_path, limited(plan, tmp_path, kept + least + 0.1))
    assert set(whole_by_arm(plan, tight).values()) == {finalists}


def test_a_search_stays_a_search_under_a_limit(plan: Plan, tmp_path: Path) -> None:
    """With two thirds of its time, most candidates come to a rung, and the best of these train to the end."""
    most = search(plan, tmp_path, None).wall_seconds / 1.5
    found = search(plan, tmp_path, limited(plan, tmp_path, reserve(2 * 2 * 2) + 1.1 * most))
    begun = {trial.candidate for trial in plan.trials if found.images[trial.key]}
    assert len(begun) >= 3 and begun == set(range(len(begun)))
    whole = {trial.candidate for trial in plan.trials if trial.key in found.whole}
    assert min(whole) > 2 / 3 * max(begun), "of the best third of those begun"
    assert 0.75 * most < found.wall_seconds < 1.1 * most


def test_a_search_that_is_slower_than_was_known_ends_when_the_finalists_have_to_begin(plan: Plan, tmp_path: Path) -> None:
    limit = limited(plan, tmp_path, reserve(2 * 2 * 2) + 100.0)
    found = search(plan, tmp_path, limit, slower=3.0)
    # Nothing is begun after that, and what runs then ends at its next rung, half of a run later at most.
    assert limit.passed() and 100.0 <= found.wall_seconds < 100.0 + 3 * WHOLE / 2


def test_a_limit_below_one_whole_candidate_and_the_finalists_is_refused_with_what_fits(plan: Plan, tmp_path: Path) -> None:
    needed = 1.1 * 2 * WHOLE + reserve(2 * 2 * 2)
    limited(plan, tmp_path, needed + 1).check(halving(plan, None))
    with pytest.raises(UserError, match=r"^--max_hours \S+ is too little: 1 whole candidate of each arm .* 2 seeds") as refused:
        limited(plan, tmp_path, needed - 1).check(halving(plan, None))
    hours = float(str(refused.value).split("give --max_hours ")[1].split(",")[0])
    assert 1 < 3600 * hours - needed < 80 and "\n" not in str(refused.value)
    limited(plan, tmp_path, 3600 * hours).check(halving(plan, None))
    write_spending(tmp_path, Spending().after(0.0, 36.0))
    with pytest.raises(UserError, match=r"^--max_usd 1 is too little: .* give --max_usd 3\.82, or"):
        limited(plan, tmp_path, None, usd=1.0).check(halving(plan, None))
    # What has begun goes on, and where no speed is known nothing is refused.
    begun = halving(plan, None)
    key = known(begun.next())
    begun.came(key, Measured(24, (1.0, 1.0, 1.0), 1.0, True))
    limited(plan, tmp_path, 1.0).check(begun)
    limited(plan, tmp_path, 1.0, rates=None).check(halving(plan, None))


def test_the_warm_ups_of_the_finalists_are_left_time_for(tiny: Config, tmp_path: Path) -> None:
    plan = candidates_plan(tiny.override({"warm_up": 80}), "full", "no_pixel", candidates=2)
    needed = 1.1 * 2 * WHOLE + reserve(2 * 2 * 2) + 1.1 * 2 * 10.0
    limited(plan, tmp_path, needed + 1).check(halving(plan, None))
    with pytest.raises(UserError, match="too little"):
        limited(plan, tmp_path, needed - 1).check(halving(plan, None))
