"""Which trials fit into a limit: whole seeds, by what the study's own trials took."""

from pathlib import Path

import pytest

from facegan.config import Config
from facegan.study.cost.limit import Limit
from facegan.study.cost.rates import ASSUMED_SECONDS, FixedSeconds, Rates
from facegan.study.cost.spending import Spending, read_spending, write_spending
from facegan.study.design.plan import Plan, Trial
from facegan.study.folder.trial_folder import trial_folder
from tests.facegan.study.cost.test_rates import train
from tests.facegan.study.cost.test_schedule import plan
from tests.facegan.study.search.planted_search import candidates_plan
from tests.known import known

REPORT = 20.0
"""Seconds that the report takes afterwards."""
NOTHING_FIXED = FixedSeconds(0.0, 0.0, 0.0, 0.0, "")
ARMS = ("no_pixel", "no_feature", "no_consistency", "full")


@pytest.fixture
def study(tiny: Config) -> Plan:
    """Four arms of 32 images, three seeds."""
    return plan(tiny.override({"images": 32}), *ARMS, seeds=(0, 1, 2))


def limit(study: Plan, folder: Path, seconds: float | None, usd: float | None = None, rate: float = 3.2) -> Limit:
    """At the rate a trial takes ten seconds, and eleven with the margin."""
    return Limit(study, folder, seconds, usd, Rates(dict.fromkeys(ARMS, rate), "cpu", "", NOTHING_FIXED))


def arms_by_seed(trials: list[Trial]) -> dict[int, int]:
    return {seed: sum(trial.seed == seed for trial in trials) for seed in dict.fromkeys(trial.seed for trial in trials)}


@pytest.mark.parametrize(
    ("seconds", "at_once", "chosen"),
    [
        (133.0, 1, {0: 4, 1: 4, 2: 4}),
        (131.0, 1, {0: 4, 1: 4}),
        (89.0, 1, {0: 4, 1: 4}),
        (87.0, 1, {0: 4}),
        (67.0, 2, {0: 4, 1: 4, 2: 4}),
        (65.0, 2, {0: 4, 1: 4}),
        # Not even one seed: a prefix of the first, which is balanced.
        (43.0, 1, {0: 3}),
        (10.0, 1, {}),
        (-1.0, 1, {}),
    ],
)
def test_whole_seeds_are_chosen(study: Plan, tmp_path: Path, seconds: float, at_once: int, chosen: dict[int, int]) -> None:
    found = limit(study, tmp_path, REPORT + seconds).whole_seeds(study.run_order(), at_once)
    assert arms_by_seed(found) == chosen
    assert found == study.run_order()[: len(found)]


def test_a_seed_that_does_not_fit_whole_is_not_begun_once_there_are_results(study: Plan, tmp_path: Path) -> None:
    first, rest = study.run_order()[:4], study.run_order()[4:]
    for trial in first:
        trial_folder(tmp_path, trial).path.mkdir(parents=True)
        trial_folder(tmp_path, trial).write_state("COMPLETED", images=32, seconds=10.0, passes={})
    assert limit(study, tmp_path, REPORT + 43.0).whole_seeds(rest, 1) == []
    assert arms_by_seed(limit(study, tmp_path, REPORT + 45.0).whole_seeds(rest, 1)) == {1: 4}


def test_what_the_trials_took_counts_more_than_what_was_known_before(study: Plan, tmp_path: Path) -> None:
    first, second = study.run_order()[:2]
    folder = trial_folder(tmp_path, first)
    folder.path.mkdir(parents=True)
    folder.write_state("COMPLETED", images=32, seconds=40.0, passes={})
    same_arm = next(trial for trial in study.trials if trial.arm == first.arm and trial.seed == 1)
    fast = Limit(study, tmp_path, REPORT + 30.0, None, limit(study, tmp_path, 0.0).rates)
    assert fast.fits(second) and not fast.fits(same_arm)


def test_what_the_trials_took_beside_training_counts_more_than_what_is_assumed(tiny: Config, tmp_path: Path) -> None:
    search = candidates_plan(tiny, "full", candidates=2)
    train(tmp_path, search, {"full": 4.0}, start=6.0, checkpoint=2.5, scoring=0.0)
    for known_before, start in ((ASSUMED_SECONDS, 6.0), (NOTHING_FIXED, 0.0)):
        now = Limit(search, tmp_path, 100.0, None, Rates({"full": 1.0}, "cpu", "", known_before)).rates_now()
        assert known(now).images_per_second == {"full": 4.0} and known(now).fixed.start == pytest.approx(start)


def test_a_trial_goes_on_from_where_it_was(study: Plan, tmp_path: Path) -> None:
    trial = study.run_order()[0]
    tight = limit(study, tmp_path, REPORT + 6.0)
    assert not tight.fits(trial)
    folder = trial_folder(tmp_path, trial)
    folder.path.mkdir(parents=True)
    folder.write_state("RUNNING", images=16, seconds=5.0, passes={})
    assert tight.fits(trial)


def test_earlier_jobs_count_and_dollars_are_hours_at_the_present_price(study: Plan, tmp_path: Path) -> None:
    write_spending(tmp_path, Spending().after(100.0, 36.0))
    assert read_spending(tmp_path).usd == pytest.approx(1.0)
    assert limit(study, tmp_path, 130.0).seconds_left() == pytest.approx(30.0)
    of_dollars = limit(study, tmp_path, None, usd=1.5)
    assert of_dollars.seconds_left() == pytest.approx(50.0)
    both = limit(study, tmp_path, 130.0, usd=1.5)
    assert both.seconds_left() == pytest.approx(30.0) and both.flag().startswith("--max_hours 0.036")
    assert limit(study, tmp_path, 1000.0, usd=1.5).flag() == "--max_usd 1.5"
    assert not both.passed()
    write_spending(tmp_path, read_spending(tmp_path).after(31.0, 36.0))
    assert both.passed() and both.whole_seeds(study.run_order(), 1) == []


def test_trials_of_which_nothing_is_known_are_started(study: Plan, tmp_path: Path) -> None:
    unknown = Limit(study, tmp_path, 100.0, None, None)
    assert unknown.fits(study.trials[0])
    assert len(unknown.whole_seeds(study.run_order(), 1)) == 12
