"""What a plan counts of its arms before it is printed."""

from pathlib import Path
from typing import Any

import pytest

from cluster.storage.uri import StorageURI
from cluster.studies import meter
from cluster.studies.arguments import StudyArguments
from cluster.studies.cost_flags import CostFlags
from cluster.studies.price import _count, _planned
from cluster.studies.rates import known_rates, save_rates
from cluster.studies.run_search import _keep_rates
from cluster.studies.run_study import StudyRequest
from cluster.studies.study_store import StudyStore
from facegan.config import Config
from facegan.study.conclusions.finalists import arms_of_finalists
from facegan.study.cost.estimate import arm_configs
from facegan.study.cost.rates import Rates
from facegan.study.cost.spending import read_spending
from facegan.study.design.arms import choose_design
from facegan.study.design.candidates import SearchSettings
from facegan.study.design.plan import make_plan
from facegan.study.search.expectation import expected_work
from facegan.study.search.generations import with_all_candidates
from facegan.study.search.results import summarise_search
from facegan.training.flops import count_step
from tests.facegan.study.search.planted_search import IMAGES, candidates_plan, plant, planted_search
from tests.known import known
from tests.planning import PLANNED_DATA


@pytest.mark.slow
def test_arms_that_are_counted_together_compute_the_same(tiny: Config) -> None:
    config = tiny.override({"loss.style": 1.0})
    design = choose_design("factorial", config, factors=("pixel", "style"))
    shared = StudyArguments(config=config, source="/not/made/yet")
    request = StudyRequest(shared=shared, design="factorial", arms=design.arms, seeds=(0,), factors=design.factors)
    planned = _planned(request)
    configs = arm_configs(planned.plan)
    assert _count(configs, planned) == {arm: count_step(config)[0] for arm, config in configs.items()}
    assert not planned.is_exact, "its data set is not made yet"


def test_what_is_written_before_a_search_is_what_its_plan_expects(
    tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all candidates, of which a third is proposed yet; it is written once."""
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(meter, "price_now", lambda usd_per_hour: usd_per_hour)
    space = known(candidates_plan(tiny, "full").search).space
    plan = candidates_plan(tiny, "full", search=SearchSettings(space, "tpe", 9, 3))
    rates, store = Rates({"full": 8.0}, "cpu", "by hand"), StudyStore(StorageURI(str(tmp_path / "study")))
    store.open(plan)
    save_rates(arm_configs(plan), rates)
    counted = meter._Meter(store, CostFlags(usd_per_hour=3.6))
    counted.forecast(plan, 2)
    all_of_them = with_all_candidates(plan)
    work, found = expected_work(all_of_them, all_of_them.run_order(), [], rates, 2), known(read_spending(store.folder).forecast)
    assert (found.trials, found.images, found.source) == (9, work.images["full"], "by hand")
    assert found.seconds == pytest.approx(known(work.wall_seconds) + rates.fixed.study, abs=1)
    assert found.usd == pytest.approx(found.seconds / 1000, abs=0.001) and known(found.images) < 9 * IMAGES
    plant(store.folder, plan.trials[0], (0.5, 0.5, 0.5), state="PAUSED")
    counted.forecast(plan, 2)
    assert read_spending(store.folder).forecast == found


def test_candidates_that_wait_for_the_next_generation_are_not_left_out_by_a_limit(
    tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(meter, "price_now", lambda usd_per_hour: usd_per_hour)
    space = known(candidates_plan(tiny, "full").search).space
    for sampler, limit in (("tpe", ""), ("random", "--max_hours 1")):
        plan = candidates_plan(tiny, "full", search=SearchSettings(space, sampler, 3 if limit else 9, 3))  # type: ignore[arg-type]
        store = StudyStore(StorageURI(str(tmp_path / sampler)))
        store.open(plan)
        for trial in plan.trials:
            plant(store.folder, trial, (0.5, 0.5, 0.5), state="PAUSED")
        meter._Meter(store, CostFlags(max_hours=1.0)).end(plan)
        assert read_spending(store.folder).limit == limit
    assert capsys.readouterr().out == "limit    --max_hours 1 leaves no time for more: 3 of 3 candidates have not ended\n"


def test_the_finalists_have_the_speeds_of_their_candidates(
    tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a limit, or an estimate, needs no probe in between."""
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    search = planted_search(tmp_path / "search", tiny)
    arms = arms_of_finalists(summarise_search(search, tmp_path / "search"), search.arms)
    named: dict[str, Any] = {"design": "figure2", "preset": "demo", "seeds": (1,), "data": PLANNED_DATA, "commit": ""}
    configs = arm_configs(make_plan(tiny.override({"images": IMAGES}), arms, **named))
    assert known_rates(CostFlags(), configs, tmp_path / "study") is None
    _keep_rates(tmp_path / "search", arms)
    found = known(known_rates(CostFlags(), configs, tmp_path / "study"))
    assert set(found.images_per_second) == {"full", "full_tuned", "no_pixel"} and found.source.startswith("measured in search")


def test_a_measured_speed_is_that_of_every_arm_whose_images_cost_the_same(
    tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the plan of a search and its finalists measures once. Which terms are on decides, not their weights."""
    monkeypatch.setenv("FACEGAN_CACHE", str(tmp_path / "cache"))
    save_rates({"full": tiny}, Rates({"full": 8.0}, "cpu", "by hand"))
    other = tiny.override({"loss.pixel": 3.0, "optim.generator_lr": 1e-5, "images": 16})
    found = known(known_rates(CostFlags(), {"full": tiny, "full_1": other}, None))
    assert (found.images_per_second, found.source) == ({"full": 8.0, "full_1": 8.0}, "by hand")
    without = tiny.override({"loss.pixel": 0.0})
    assert known_rates(CostFlags(), {"full": tiny, "no_pixel": without}, None) is None, "both are measured, side by side"
