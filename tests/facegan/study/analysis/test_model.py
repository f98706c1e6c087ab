"""The linear model: the fit against statsmodels, aliases in names and estimates, effects that cannot be estimated."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

from facegan.metrics.table import HEADLINES
from facegan.study.analysis.effect_records import NotEstimable
from facegan.study.analysis.effects import analyse_metric, analyse_study
from facegan.study.analysis.model import Effect, longest_interaction
from facegan.study.design.two_level import alias_table, column_value, factorial, fraction, leave_one_out
from tests.facegan.study.planted import (
    METRIC,
    SQUARE,
    by_name,
    runs_of,
    simulate,
)
from tests.known import known


def test_estimates_and_pooled_intervals_equal_those_of_statsmodels() -> None:
    """On unbalanced data: three factors, four seeds, two runs missing."""
    rng, rows = np.random.default_rng(1), factorial(["a", "b", "c"])
    values = simulate(rows, 4, {"a": 2, "b": -1, "c": 0, "a x b": 1.5}, rng, uneven=True)
    found = analyse_metric(METRIC, runs_of(rows, range(4), values, absent=(3, 17)), rows)
    table = pd.DataFrame(rows * 4).assign(y=values.mean(axis=1), seed=np.repeat(range(4), 8)).drop([3, 17])
    ols = smf.ols("y ~ C(seed, Sum) + a * b * c", table).fit()
    names = list(ols.params.index)
    assert len(found.effects) == 7
    for effect in found.effects:
        j = names.index(effect.name.replace(" x ", ":"))
        assert effect.estimate == pytest.approx(2 * ols.params.iloc[j], abs=1e-8)
        # The clips' effects differ, so that the interval is wider than the one of the runs' means.
        assert known(effect.pooled).degrees_of_freedom == ols.df_resid
        assert np.ptp(known(effect.pooled).interval) > 2 * np.ptp(ols.conf_int().iloc[j])
    assert found.degrees_of_freedom == ols.df_resid == 30 - 4 - 7
    assert found.sigma == pytest.approx(np.sqrt(ols.scale), abs=1e-8)


def test_leave_one_out_effects_are_named_with_their_assumption() -> None:
    rows = leave_one_out(["a", "b", "c"])
    values = simulate(rows, 3, {"a": 1, "b": 0, "c": 0}, np.random.default_rng(8))
    found = analyse_metric(METRIC, runs_of(rows, (0, 1, 2), values), rows)
    assert list(by_name(found)) == [f"{f} (if no interactions)" for f in "abc"]
    assert "assumes that factors do not interact" in found.model
    assert [e.name for e in found.not_estimable] == ["a x b", "a x c", "b x c"]
    assert all("this design" in e.reason for e in found.not_estimable)
    for effect, entry in zip(found.effects, found.leave_one_out, strict=True):
        assert effect.estimate == pytest.approx(entry.estimate)


@pytest.mark.parametrize(("k", "size"), [(3, "half"), (4, "half"), (5, "quarter"), (6, "quarter")])
def test_aliased_effects_are_always_named_with_their_aliases(k: int, size: str) -> None:
    rows = fraction("abcdef"[:k], size)  # type: ignore[arg-type]
    values = simulate(rows, 2, {"a": 1, "b": 1}, np.random.default_rng(9))
    given = runs_of(rows, (0, 1), values)
    found = analyse_study(dict.fromkeys(HEADLINES, given), rows)
    table = alias_table(rows)
    short = {name: [a for a in aliases if a.count(" x ") < 2] for name, aliases in table.items()}
    named = [n for m in found.metrics.values() for n in [*(e.name for e in m.effects), *(e.name for e in m.not_estimable)]]
    named += [e.name for m in found.metrics.values() for loo in m.leave_one_out for e in loo.explained_by]
    named += found.family.effects
    assert any("(=" in name for name in named)
    for name in named:
        first, _, rest = name.removesuffix(")").partition(" (= ")
        assert set(filter(None, rest.split(" = "))) == set(short[first])
    assert {" x ".join(w) for e in found.metrics[METRIC].effects for w in e.members} == set(short)
    fields = {name for name in dir(Effect(((),), (1,))) if not name.startswith("_")}
    assert fields == {"words", "signs", "assumes_no_interactions", "name", "column"}, "a name without the aliases"


def test_aliased_interactions_are_estimated_as_their_sum() -> None:
    rows = fraction("abcdef", "quarter")
    values = simulate(rows, 3, {"a x b": 3.0, "c x e": -1.0}, np.random.default_rng(10), run=0.01, slope=0)
    effect = by_name(analyse_metric(METRIC, runs_of(rows, (0, 1, 2), values), rows))["a x b (= c x e)"]
    assert effect.estimate == pytest.approx(2.0, abs=0.3)


def test_an_alias_of_opposite_sign_is_named_with_a_minus() -> None:
    arms = SQUARE[1:3]
    values = simulate(arms, 3, {"a": 3}, np.random.default_rng(21), slope=0)
    found = analyse_metric(METRIC, runs_of(arms, (0, 1, 2), values), arms)
    assert list(by_name(found)) == ["a (= -b)"]
    assert found.not_estimable == (NotEstimable("a x b", "it has the same level in all arms of this study"),)


def test_interactions_that_cannot_be_separated_stay_in_the_model_as_nuisance() -> None:
    """Of 2^4 arms only those with a x b = c x d have runs: main effects are estimated, and pairs do not count as noise."""
    rows = factorial("abcd")
    absent = [i for i, row in enumerate(rows * 2) if column_value(row, tuple("abcd")) < 0]
    values = simulate(rows, 2, {"a": 1, "a x b": 50}, np.random.default_rng(20), slope=0)
    found = analyse_metric(METRIC, runs_of(rows, (0, 1), values, absent=absent, state="RUNNING"), rows)
    assert [e.name for e in found.effects] == ["a", "b", "c", "d"]
    assert len(found.not_estimable) == 6
    assert {e.reason for e in found.not_estimable} == {"the runs so far cannot separate it from other effects"}
    assert found.degrees_of_freedom == 16 - 2 - 4 - 3
    assert known(found.sigma) < 3


def test_eight_arms_have_an_interaction_of_three_and_lose_it_with_an_arm() -> None:
    rows = factorial("abc")
    values = simulate(rows, 3, {"a": 1, "a x b x c": 2.0}, np.random.default_rng(4), run=0.01, slope=0)
    whole = analyse_metric(METRIC, runs_of(rows, (0, 1, 2), values), rows)
    assert by_name(whole)["a x b x c"].estimate == pytest.approx(2.0, abs=0.3)
    assert whole.model.startswith("main effects and all interactions, ") and whole.not_estimable == ()
    # Without the arm "a alone" its six other effects are estimated as if there were none of three.
    fewer = analyse_metric(METRIC, runs_of(rows, (0, 1, 2), values, absent=(4, 12, 20)), rows)
    assert fewer.model.startswith("main effects and two-factor interactions, ") and len(fewer.effects) == 6
    assert fewer.not_estimable == (NotEstimable("a x b x c", "the runs so far cannot separate it from other effects"),)
    # With more factors there are many interactions of three, and a fraction cannot tell them apart.
    assert longest_interaction(factorial("abcd")) == longest_interaction(fraction("abc", "half")) == 2
