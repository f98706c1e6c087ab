"""How the values of candidates are proposed: the same after an interruption, never twice, and by what was measured."""

from collections.abc import Callable

import pytest

from facegan.config import Config
from facegan.errors import UserError
from facegan.study.design.candidates import SamplerName, SearchSettings, Told, check_settings, propose
from facegan.study.design.plan import make_plan
from facegan.study.design.search_space import Values, parse_space
from tests.facegan.study.design.designs import design
from tests.planning import PLANNED_DATA

SPACE = parse_space(("loss.pixel=1..100", "optim.generator_lr=1e-4..1e-2"), Config())


def settings(sampler: SamplerName, candidates: int = 18, generation: int = 6) -> SearchSettings:
    return SearchSettings(SPACE, sampler, candidates, generation)


def measured(values: Values) -> tuple[float, float, float]:
    """Best at a weight of 30 and at the lowest rate."""
    return abs(float(values.get("loss.pixel", 10.0)) - 30) / 70, float(values.get("optim.generator_lr", 2e-4)) * 100, 0.3


def whole_search(search: SearchSettings, measure: Callable[[Values], tuple[float, float, float] | None]) -> list[Values]:
    told: list[Told] = []
    while proposed := propose(search, "full", Config(), told):
        assert propose(search, "full", Config(), told) == proposed, "an interrupted search goes on as it would have"
        told += [Told(values, measure(values)) for values in proposed]
    return [candidate.values for candidate in told]


@pytest.mark.parametrize("sampler", ["random", "tpe", "nsga2"])
def test_candidates_start_as_configured_differ_and_stay_within_the_space(sampler: SamplerName) -> None:
    found = whole_search(settings(sampler), measured)
    assert found[0] == {} and len(found) == 18
    assert len({tuple(values.items()) for values in found}) == 18
    assert all(1 <= v["loss.pixel"] <= 100 and 1e-4 <= v["optim.generator_lr"] <= 1e-2 for v in found[1:])  # type: ignore[operator]
    assert all(Config().override(values) for values in found)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_a_sampler_that_learns_comes_closer_to_the_best_values(sampler: SamplerName) -> None:
    found = whole_search(settings(sampler, candidates=48, generation=8), measured)
    drawn = whole_search(settings("random", candidates=48), measured)
    late, by_lot = ([sum(measured(values)) for values in each[24:]] for each in (found, drawn))
    assert sorted(late)[len(late) // 2] < sorted(by_lot)[len(by_lot) // 2]
    assert whole_search(settings(sampler), measured)[6:] != whole_search(settings(sampler), lambda v: (1.0, 1.0, 1.0))[6:]


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_candidates_that_diverged_are_told_too(sampler: SamplerName) -> None:
    assert len(whole_search(settings(sampler), lambda values: measured(values) if len(values) else None)) == 18


def test_a_grid_leaves_out_the_point_that_is_configured_already() -> None:
    """The middle of the range is the configured weight, and two candidates of one configuration would be one trial."""
    space = parse_space(("loss.pixel=1..100",), Config())
    assert propose(SearchSettings(space, "grid", 3, 2), "full", Config(), []) == [
        {},
        {"loss.pixel": 1.0},
        {"loss.pixel": 100.0},
    ]
    check_settings(SearchSettings(space, "grid", 3, 2), Config())


def test_another_arm_gets_other_candidates() -> None:
    one, other = (propose(settings("random"), arm, Config(), []) for arm in ("full", "no_pixel"))
    assert one != other


def test_a_space_that_is_used_up_gives_fewer_candidates() -> None:
    few = SearchSettings(parse_space(("loss.pixel_form=l1,l2",), Config()), "random", 8, 4)
    assert whole_search(few, measured) == [{}, {"loss.pixel_form": "l1"}]


def test_values_that_this_version_of_optuna_would_not_have_proposed_are_refused() -> None:
    told = [Told(values, measured(values)) for values in propose(settings("tpe"), "full", Config(), [])]
    told[2] = Told({"loss.pixel": 2.0, "optim.generator_lr": 1e-3}, None)
    with pytest.raises(UserError, match=r"proposes other values .*constraints\.txt"):
        propose(settings("tpe"), "full", Config(), told)


def test_a_plan_grows_by_candidates_and_keeps_its_id(tiny: Config) -> None:
    found = design("figure2", names=("full", "no_pixel"))
    search = settings("tpe", candidates=6, generation=3)
    given = {"design": "candidates", "preset": "demo", "seeds": (0,), "data": PLANNED_DATA, "commit": "", "search": search}
    plan = make_plan(tiny, found.arms, **given)  # type: ignore[arg-type]
    assert {(t.arm, t.candidate) for t in plan.trials} == {(arm, n) for arm in ("full", "no_pixel") for n in range(3)}
    first = next(trial for trial in plan.trials if trial.arm == "full")
    assert first.config.checkpoint_at and first.config.loss == tiny.loss
    assert "loss.pixel" not in {n for t in plan.trials if t.arm == "no_pixel" for n in t.config.loss.active()}
    more = plan.with_candidates({"full": [{"loss.pixel": 2.0}], "no_pixel": []})
    assert (more.trials[-1].arm, more.trials[-1].candidate, more.trials[-1].config.loss.pixel) == ("full", 3, 2.0)
    assert more.id() == plan.id() and plan.extended(more, 0) == more and more.extended(plan, 0) == more
    assert plan.id() != make_plan(tiny, found.arms, **given | {"search": settings("tpe", 7, 3)}).id()  # type: ignore[arg-type]
