"""Effects against statsmodels and by hand, intervals against planted truths, and what a study that is not whole may say."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from facegan.config import Config
from facegan.files import write_json
from facegan.metrics.card import summarise
from facegan.metrics.table import HEADLINES, METRICS
from facegan.study.analysis.contrasts import noise_by_arm
from facegan.study.analysis.effect_records import EffectEstimate, MetricEffects, MissingRun, NotEstimable
from facegan.study.analysis.effects import analyse_metric, analyse_study, choose_headlines, fit_table
from facegan.study.analysis.intervals import bootstrap, percentile_interval, resampling_counts
from facegan.study.analysis.model import Effect
from facegan.study.analysis.runs import Run, table_of_runs
from facegan.study.conclusions.answers import answer_factors
from facegan.study.conclusions.summary import summarise_study
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import make_plan
from facegan.study.design.two_level import Row, alias_table, column_value, factorial, fraction, leave_one_out
from facegan.study.folder.study_folder import open_study, read_plan
from facegan.study.folder.trial_folder import trial_folder
from tests.known import known
from tests.planning import PLANNED_DATA

SQUARE = factorial(["a", "b"])
SQUARE_ARMS = ["a-1b-1", "a-1b+1", "a+1b-1", "a+1b+1"]
METRIC = "identity_to_target"
LANDMARK_ERROR, LANDMARK_AUC = "landmark_error", "landmark_auc"
Floats = NDArray[np.float64]


def runs_of(
    rows: Sequence[Row], seeds: Sequence[int], values: Floats, absent: Sequence[int] = (), state: str = "DIVERGED"
) -> list[Run]:
    """Runs seed by seed, arm by arm within; `values` [runs, clips]; those at the places `absent` have no scores."""
    runs = []
    for i, (seed, row) in enumerate((seed, row) for seed in seeds for row in rows):
        scores: dict[str, float | None] = {} if i in absent else {f"c{c:02d}": float(v) for c, v in enumerate(values[i])}
        name = "".join(f"{factor}{level:+d}" for factor, level in row.items())
        runs.append(Run(name, seed, row, "COMPLETED" if scores else state, scores))
    return runs


def simulate(
    rows: Sequence[Row],
    seeds: int,
    effects: dict[str, float],
    rng: np.random.Generator,
    *,
    run: float = 1.0,
    slope: float = 1.5,
    clips: int = 12,
    uneven: bool = False,
    wild: float = 1.0,
) -> Floats:
    """[runs, clips] planted effects ('a', 'a x b') amid noise of seeds, of clips, of runs and of images.

    `slope` is how much an effect's size differs from clip to clip; `uneven` gives runs with the first effect on more noise,
    `wild` the first arm so many times as much.
    """
    columns = [[column_value(row, tuple(name.split(" x "))) for name in effects] for row in rows]
    x = np.tile(np.array(columns, np.float64), (seeds, 1))
    sizes = np.array(list(effects.values())) + rng.normal(0, slope, (clips, len(effects)))
    spread = np.where(x[:, 0] > 0, 2.0, 0.5) if uneven else np.ones(len(x))
    spread[:: len(rows)] *= wild
    blocks = np.repeat(rng.normal(0, 2, seeds), len(rows)) + spread * rng.normal(0, run, len(x))
    return x @ sizes.T / 2 + blocks[:, None] + rng.normal(0, 3, clips) + rng.normal(0, 1, (len(x), clips))


def by_name(found: MetricEffects) -> dict[str, EffectEstimate]:
    return {effect.name: effect for effect in found.effects}


def test_coefficients_and_hc3_errors_are_statsmodels_own() -> None:
    """Unbalanced: three factors, four seeds, two runs missing."""
    rng, rows = np.random.default_rng(1), factorial(["a", "b", "c"])
    values = simulate(rows, 4, {"a": 2, "b": -1, "c": 0, "a x b": 1.5}, rng, uneven=True)
    found = analyse_metric(METRIC, runs_of(rows, range(4), values, absent=(3, 17)), rows)
    table = pd.DataFrame(rows * 4).assign(y=values.mean(axis=1), seed=np.repeat(range(4), 8)).drop([3, 17])
    ols = smf.ols("y ~ C(seed, Sum) + a + b + c + a:b + a:c + b:c", table).fit()
    robust = ols.get_robustcov_results("HC3", use_t=True)
    names = list(ols.params.index)
    assert len(found.effects) == 6
    for effect in found.effects:
        j = names.index(effect.name.replace(" x ", ":"))
        assert effect.estimate == pytest.approx(2 * ols.params.iloc[j], abs=1e-8)
        assert known(effect.hc3).standard_error == pytest.approx(2 * robust.bse[j], abs=1e-8)
        assert known(effect.hc3).interval == pytest.approx(2 * robust.conf_int()[j], abs=1e-8)
        assert known(effect.hc3).p == pytest.approx(robust.pvalues[j], abs=1e-8)
        reach = stats.t.ppf([0.975, 0.8], ols.df_resid).sum() * 2 * ols.bse.iloc[j]
        assert effect.detectable == pytest.approx(reach, abs=1e-8)
    assert found.degrees_of_freedom == ols.df_resid == 30 - 4 - 6
    assert found.sigma == pytest.approx(np.sqrt(ols.scale), abs=1e-8)


def test_a_square_by_hand() -> None:
    """a on: 7 and 3, off: 4 and 2; b on: 7 and 4, off: 3 and 2; a where b is on 3, off 1. Seeds only shift it."""
    arms = np.array([2.0, 4.0, 3.0, 7.0])
    values = np.concatenate([arms + shift for shift in (0, 10, -5)])[:, None] + np.array([[-1.0, 1.0]])
    values[0] += 1.2
    values[3] -= 1.2
    found = analyse_metric(METRIC, runs_of(SQUARE, (0, 1, 2), values), SQUARE)
    effects = by_name(found)
    assert [e.name for e in found.effects] == ["a", "b", "a x b"]
    # The shifts of the first seed: -1.2 in either factor's effect, 0 in the interaction; a third of it is left in the mean.
    assert effects["a"].estimate == pytest.approx(2 - 0.4)
    assert effects["b"].estimate == pytest.approx(3 - 0.4)
    assert effects["a x b"].estimate == pytest.approx(1)
    # Within its seed the residual is -1.2 x (1 - 1/3) at two opposite arms, 0.4 and 0.4 of the other sign in the other seeds.
    sigma = np.sqrt((2 * 0.8**2 + 4 * 0.4**2) / 6)
    assert found.degrees_of_freedom == 6
    assert found.sigma == pytest.approx(sigma)
    # Both clips agree on every effect: only the runs' noise is left, 2 sigma / sqrt(12).
    assert effects["a"].standard_error == pytest.approx(2 * sigma / np.sqrt(12))
    reach = stats.t.ppf(0.975, 6) * 2 * sigma / np.sqrt(12)
    assert effects["a"].interval == pytest.approx([1.6 - reach, 1.6 + reach])
    assert effects["a"].helps is True
    assert by_name(analyse_metric("face_error", runs_of(SQUARE, (0, 1, 2), values), SQUARE))["a"].helps is False


def test_clips_that_disagree_widen_the_interval() -> None:
    rng = np.random.default_rng(3)
    values = simulate(SQUARE, 3, {"a": 1, "b": 1, "a x b": 0}, rng)
    effect = by_name(analyse_metric(METRIC, runs_of(SQUARE, (0, 1, 2), values), SQUARE))["a"]
    signs = np.array([row["a"] for row in SQUARE] * 3)
    per_clip = (values * signs[:, None]).sum(axis=0) / 6
    clip, run = per_clip.var(ddof=1) / 12, 4 * np.square(residuals(values.mean(axis=1))).sum() / 6 / 12
    assert effect.standard_error == pytest.approx(np.sqrt(clip + run))
    assert effect.degrees_of_freedom == 6
    for p, edge in ((0.05, known(effect.interval)[1] - effect.estimate), (known(effect.p), abs(effect.estimate))):
        assert edge == pytest.approx(np.sqrt(stats.t.isf(p / 2, 11) ** 2 * clip + stats.t.isf(p / 2, 6) ** 2 * run))


def residuals(y: Floats) -> Floats:
    """Of a balanced square in three seeds: what arm and seed do not explain."""
    table = y.reshape(3, 4)
    return np.asarray(table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean())


def test_holm_is_over_all_effects_of_all_headline_metrics() -> None:
    rng = np.random.default_rng(4)
    tables = {m: simulate(SQUARE, 3, {"a": 3, "b": 1, "a x b": 0}, rng) for m in HEADLINES}
    found = analyse_study({m: runs_of(SQUARE, (0, 1, 2), v) for m, v in tables.items()}, SQUARE)
    assert found.family.effects == ("a", "b", "a x b") and found.family.tests == 9
    effects = [effect for m in HEADLINES for effect in found.metrics[m].effects]
    p = np.array([effect.p for effect in effects])
    assert [e.p_holm for e in effects] == pytest.approx(multipletests(p, method="holm")[1])
    assert effects[int(p.argmin())].p_holm == pytest.approx(min(1, 9 * p.min()))


def test_the_family_is_as_declared_even_where_a_metric_is_not_measured() -> None:
    values = simulate(SQUARE, 3, {"a": 5, "b": 1, "a x b": 0}, np.random.default_rng(5))
    given = {m: runs_of(SQUARE, (0, 1, 2), values, absent=range(12) if m != METRIC else ()) for m in HEADLINES}
    found = analyse_study(given, SQUARE)
    smallest = min(found.metrics[METRIC].effects, key=lambda effect: known(effect.p))
    assert smallest.p_holm == pytest.approx(min(1, 9 * known(smallest.p)))
    assert found.metrics["face_error"].effects == ()
    assert "no two runs of one seed" in found.metrics["face_error"].not_estimable[0].reason


@pytest.mark.parametrize("k", [2, 3, 4])
def test_leave_one_out_is_the_main_effect_plus_all_its_interactions(k: int) -> None:
    """A property of every full factorial; up to two factors it is exact, the rest is called higher order."""
    rows, rng = factorial("abcd"[:k]), np.random.default_rng(k)
    means = rng.normal(size=len(rows))
    values = np.tile(means, 3)[:, None] + rng.normal(size=(3, 1)).repeat(len(rows), axis=0) + rng.normal(size=(1, 5))
    found = analyse_metric(METRIC, runs_of(rows, (0, 1, 2), values), rows)
    effects = {n: e.estimate for n, e in by_name(found).items()}
    signs = np.array([[row[f] for f in row] for row in rows])
    for i, entry in enumerate(found.leave_one_out):
        name = entry.factor
        off = next(j for j, row in enumerate(rows) if all((level == -1) == (f == name) for f, level in row.items()))
        assert entry.estimate == pytest.approx(means[-1] - means[off])
        assert entry.averaged == effects[name]
        pairs = {e.name: e.estimate for e in entry.explained_by}
        assert pairs == {n: v for n, v in effects.items() if name in n.split(" x ") and " x " in n} and len(pairs) == k - 1
        higher = [w for length in range(3, k + 1) for w in itertools.combinations(range(k), length) if i in w]
        expected = sum(2 * np.mean(means * signs[:, w].prod(axis=1)) for w in map(list, higher))
        assert entry.higher_order == pytest.approx(expected)
        assert known(entry.averaged) + sum(pairs.values()) + known(entry.higher_order) == pytest.approx(entry.estimate)


def test_leaving_one_out_is_paired_by_seed() -> None:
    rng, rows = np.random.default_rng(7), leave_one_out(["a", "b", "c"])
    values = simulate(rows, 4, {"a": 1, "b": 0, "c": 0}, rng, slope=0)
    values[0] = np.nan  # a is off in the first seed: that run is missing
    entry = analyse_metric(METRIC, runs_of(rows, range(4), values, absent=(0,)), rows).leave_one_out[0]
    differences = values[[7, 11, 15]] - values[[4, 8, 12]]
    assert entry.seeds == 3 and entry.estimate == pytest.approx(differences.mean())
    clip, run = differences.mean(axis=0).var(ddof=1) / 12, differences.mean(axis=1).var(ddof=1) / 3
    assert known(entry.standard_error) ** 2 == pytest.approx(clip + run)
    reach = np.sqrt(stats.t.isf(0.025, 11) ** 2 * clip + stats.t.isf(0.025, 2) ** 2 * run)
    assert known(entry.interval)[1] == pytest.approx(known(entry.estimate) + reach)
    assert entry.averaged is None and entry.explained_by == ()


def test_each_arms_own_noise_is_told_from_the_seeds() -> None:
    """Planted deviations of 1, 2, 3 and 4 in 400 seeds that shift all arms by more."""
    rng = np.random.default_rng(23)
    values = rng.normal(0, 5, (400, 1)) + rng.normal(0, 1, (400, 4)) * [1, 2, 3, 4]
    noise = noise_by_arm(table_of_runs(runs_of(SQUARE, range(400), np.repeat(values.reshape(-1, 1), 2, axis=1))))
    assert list(noise.values()) == pytest.approx([1, 2, 3, 4], rel=0.25)
    assert noise_by_arm(table_of_runs(runs_of(SQUARE, (0, 1), np.ones((8, 2)), absent=(3,)))) == {}


def test_a_noisy_arm_is_named_and_leaves_the_others_difference_alone() -> None:
    values = simulate(SQUARE, 4, {"a": 1}, np.random.default_rng(22), slope=0, run=0.1)
    calm = analyse_metric(METRIC, runs_of(SQUARE, range(4), values), SQUARE)
    values[::4] += np.array([-30, 10, 40, -20])[:, None]
    wild = analyse_metric(METRIC, runs_of(SQUARE, range(4), values), SQUARE)
    assert "noisy" not in calm.inference
    assert "arm a-1b-1 is over 5 times as noisy as the others" in wild.inference
    assert max(wild.noise_by_arm, key=lambda arm: wild.noise_by_arm[arm]) == "a-1b-1"
    for before, after in zip(calm.leave_one_out, wild.leave_one_out, strict=True):
        assert after.interval == before.interval, "the base is in neither side of a leave-one-out difference"


def test_a_design_of_left_out_terms_says_what_its_effects_assume() -> None:
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
def test_an_aliased_effect_is_never_named_without_its_aliases(k: int, size: str) -> None:
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
    assert fields == {"words", "signs", "assumes_no_interactions", "name", "column"}, "a second, shorter name for an effect"


def test_aliased_interactions_are_estimated_as_their_sum() -> None:
    rows = fraction("abcdef", "quarter")
    values = simulate(rows, 3, {"a x b": 3.0, "c x e": -1.0}, np.random.default_rng(10), run=0.01, slope=0)
    effect = by_name(analyse_metric(METRIC, runs_of(rows, (0, 1, 2), values), rows))["a x b (= c x e)"]
    assert effect.estimate == pytest.approx(2.0, abs=0.3)


def test_too_few_runs_are_said_in_words() -> None:
    values = simulate(SQUARE, 3, {"a": 1, "b": 1}, np.random.default_rng(11))
    one = analyse_metric(METRIC, runs_of(SQUARE, (0,), values[:4]), SQUARE)
    assert "too few runs: 0 residual degrees of freedom" in one.inference and "does not cover other seeds" in one.inference
    assert one.effects[0].interval is None and one.effects[0].detectable is None
    assert one.effects[0].bootstrap is not None
    assert one.leave_one_out[0].interval is None
    two = analyse_metric(METRIC, runs_of(SQUARE, (0, 1), values[:8]), SQUARE)
    assert two.hc3 == "too few seeds: 2 of at least 3"
    assert two.effects[0].hc3 is None and two.effects[0].interval is not None
    short = analyse_metric(METRIC, runs_of(SQUARE, (0, 1), values[:8], absent=(5, 6)), SQUARE)
    assert "too few runs: 1 residual degree of freedom," in short.inference
    eight = factorial("abc")
    assert "too few runs: 1 residual" in analyse_metric(METRIC, runs_of(eight, (0,), np.ones((8, 3))), eight).inference


def test_a_run_of_leverage_one_gives_no_hc3() -> None:
    """Both factors on was run once only: nothing else says what it should be."""
    values = simulate(SQUARE, 4, {"a": 1, "b": 1}, np.random.default_rng(12))
    found = analyse_metric(METRIC, runs_of(SQUARE, range(4), values, absent=(7, 11, 15)), SQUARE)
    assert found.hc3 == "1 run of leverage 1, which the model fits exactly"
    assert all(effect.hc3 is None for effect in found.effects)
    json.dumps(asdict(found), allow_nan=False)


def test_missing_runs_are_listed_and_bounded() -> None:
    values = simulate(SQUARE, 3, {"a": 6, "b": 0.5}, np.random.default_rng(13), slope=0)
    absent = (2, 9)
    found = analyse_metric(METRIC, runs_of(SQUARE, (0, 1, 2), values, absent=absent), SQUARE)
    assert [(m.seed, m.state) for m in found.missing] == [(0, "DIVERGED"), (2, "DIVERGED")]
    observed = np.delete(values.mean(axis=1), absent)
    reach: dict[str, list[float]] = {name: [] for name in by_name(found)}
    for ends in itertools.product((observed.min(), observed.max()), repeat=2):
        whole = values.copy()
        whole[list(absent)] = np.array(ends)[:, None]
        for name, effect in by_name(analyse_metric(METRIC, runs_of(SQUARE, (0, 1, 2), whole), SQUARE)).items():
            reach[name].append(effect.estimate)
    for name, effect in by_name(found).items():
        assert effect.if_missing == pytest.approx([min(reach[name]), max(reach[name])])
        assert effect.sign_survives == (min(reach[name]) * max(reach[name]) > 0)
    assert {e.sign_survives for e in found.effects} == {True, False}
    whole_study = analyse_metric(METRIC, runs_of(SQUARE, (0, 1, 2), values), SQUARE)
    assert whole_study.missing == () and whole_study.effects[0].if_missing is None


def test_any_part_of_a_study_says_what_it_can_and_why_not_the_rest() -> None:
    rows, rng = factorial("abc"), np.random.default_rng(14)
    values = simulate(rows, 2, {"a": 1, "b": 1}, rng, clips=4)
    for count in range(17):
        found = analyse_metric(METRIC, runs_of(rows, (0, 1), values, absent=range(count, 16), state="PENDING"), rows)
        json.dumps(asdict(found), allow_nan=False)
        named = {w for e in found.effects for w in map(tuple, e.members)}
        told = {" x ".join(w) for w in named} | {e.name.removesuffix(" (if no interactions)") for e in found.not_estimable}
        assert told >= {"a", "b", "c", "a x b", "a x c", "b x c"}, count
        assert found.runs + len(found.missing) == 16
    early = analyse_metric(METRIC, runs_of(rows, (0, 1), values, absent=range(4, 16), state="PENDING"), rows)
    assert {e.name: e.reason for e in early.not_estimable}["a (if no interactions)"].startswith("a was only off")
    assert [e.name for e in early.effects] == ["b (if no interactions)", "c (if no interactions)"]
    assert {e.name: e.reason for e in early.not_estimable}["a x b"].startswith("the runs so far")


def test_clips_without_a_face_are_left_out_for_all_and_runs_of_few_are_missing() -> None:
    values = simulate(SQUARE, 3, {"a": 1}, np.random.default_rng(15))
    given = runs_of(SQUARE, (0, 1, 2), values)
    given[1].clips["c03"] = None
    given[4] = Run(given[4].arm, 1, given[4].levels, "COMPLETED", {f"c{c:02d}": 9.0 if c < 5 else None for c in range(12)})
    found = analyse_metric("landmark_error", given, SQUARE)
    assert found.clips == 11 and found.clips_left_out == ("c03",)
    assert found.missing == (MissingRun(given[4].arm, 1, "COMPLETED", "measured on less than half of the clips"),)
    without = analyse_metric("landmark_error", runs_of(SQUARE, (0, 1, 2), np.delete(values, 3, axis=1), absent=(4,)), SQUARE)
    assert [e.estimate for e in found.effects] == pytest.approx([e.estimate for e in without.effects])


def test_a_seeds_only_run_compares_with_nothing() -> None:
    values = simulate(SQUARE, 3, {"a": 1}, np.random.default_rng(16))
    found = analyse_metric(METRIC, runs_of(SQUARE, (0, 1, 2), values, absent=(9, 10, 11)), SQUARE)
    two = analyse_metric(METRIC, runs_of(SQUARE, (0, 1), values[:8]), SQUARE)
    assert [e.estimate for e in found.effects] == [e.estimate for e in two.effects]
    assert found.missing[-1].reason.startswith("the only run of its seed")
    means = values.mean(axis=1)[:9]
    ends: list[list[float]] = []
    for filled in itertools.product((means.min(), means.max()), repeat=3):
        whole = np.append(means, filled)
        ends.append([np.mean(whole * [row[factor] for row in SQUARE * 3]) * 2 for factor in "ab"])
    for factor, reach in zip("ab", np.array(ends).T, strict=True):
        assert by_name(found)[factor].if_missing == pytest.approx([reach.min(), reach.max()])


def test_the_bootstrap_draws_the_same_seeds_and_clips_for_all_arms() -> None:
    """So what all arms share, a hard clip or a lucky seed, does not widen it; what one arm alone has does."""
    rng = np.random.default_rng(17)
    values = simulate(SQUARE, 3, {"a": 1}, rng)
    shared = values + rng.normal(0, 50, (1, 12)) + np.repeat(rng.normal(0, 50, (3, 1)), 4, axis=0)
    one, other = (by_name(analyse_metric(METRIC, runs_of(SQUARE, (0, 1, 2), v), SQUARE))["a"] for v in (values, shared))
    assert one.bootstrap == pytest.approx(other.bootstrap)
    assert one.interval == pytest.approx(other.interval)
    uneven = values + np.where(np.arange(12) % 4 == 3, 50, 0)[:, None] * np.repeat([-1, 0, 1], 4)[:, None]
    wide = by_name(analyse_metric(METRIC, runs_of(SQUARE, (0, 1, 2), uneven), SQUARE))["a"]
    assert np.ptp(known(wide.bootstrap)) > 5 * np.ptp(known(one.bootstrap))


def test_the_bootstrap_by_its_definition() -> None:
    """GeneratedImages blocks and clips put together by hand and fitted anew, a block drawn twice as two blocks."""
    values = simulate(SQUARE, 4, {"a": 1}, np.random.default_rng(18))
    table = table_of_runs(runs_of(SQUARE, range(4), values, absent=(2,)))
    fitted = fit_table(table, SQUARE)[1]
    assert fitted is not None
    found, (seeds, clips) = bootstrap(fitted), resampling_counts(4, 12)
    runs = pd.DataFrame(SQUARE * 4).assign(seed=np.repeat(range(4), 4), place=range(16)).drop(2)
    for drawn_often, share in ((seeds / 4, 1 / 4), (clips, 1 / 12)):
        assert drawn_often.sum(axis=1) == pytest.approx(1)
        assert drawn_often.var(axis=0) == pytest.approx(share**2 * (1 - share), rel=0.15)
    whole = [i for i in range(len(seeds)) if seeds[i, 0] < 4]  # the first seed alone lacks an arm
    assert len(found) == len(whole) < len(seeds)
    for row, i in list(zip(found, whole, strict=True))[:60]:
        drawn = pd.concat([runs[runs.seed == s].assign(block=f"{s} {n}") for s in range(4) for n in range(int(seeds[i, s]))])
        x = np.column_stack([drawn[["a", "b"]], drawn.a * drawn.b, pd.get_dummies(drawn.block)]).astype(float)
        expected = 2 * np.linalg.lstsq(x, values[drawn.place] @ clips[i], rcond=None)[0][:3]
        assert row == pytest.approx(expected)
    assert percentile_interval(found[:, 0]) == pytest.approx(np.quantile(found[:, 0], [0.025, 0.975]))


def test_pairs_that_the_runs_cannot_tell_apart_still_take_their_part() -> None:
    """Of 2^4 only the half with a x b = c x d was run: all main effects, no pair, and what pairs do is not taken for noise."""
    rows = factorial("abcd")
    absent = [i for i, row in enumerate(rows * 2) if column_value(row, tuple("abcd")) < 0]
    values = simulate(rows, 2, {"a": 1, "a x b": 50}, np.random.default_rng(20), slope=0)
    found = analyse_metric(METRIC, runs_of(rows, (0, 1), values, absent=absent, state="RUNNING"), rows)
    assert [e.name for e in found.effects] == ["a", "b", "c", "d"]
    assert len(found.not_estimable) == 6
    assert {e.reason for e in found.not_estimable} == {"the runs so far cannot separate it from other effects"}
    assert found.degrees_of_freedom == 16 - 2 - 4 - 3
    assert known(found.sigma) < 3


def test_an_alias_of_the_other_sign_says_so() -> None:
    arms = SQUARE[1:3]
    values = simulate(arms, 3, {"a": 3}, np.random.default_rng(21), slope=0)
    found = analyse_metric(METRIC, runs_of(arms, (0, 1, 2), values), arms)
    assert list(by_name(found)) == ["a (= -b)"]
    assert found.not_estimable == (NotEstimable("a x b", "it has the same level in all arms of this study"),)


COVERED = [
    ("square", SQUARE, 3, {}, ()),
    ("square, runs differ more than clips", SQUARE, 3, {"slope": 0.0}, ()),
    ("square, clips differ more than runs", SQUARE, 3, {"run": 0.2}, ()),
    ("square, two seeds", SQUARE, 2, {}, ()),
    ("square, a run missing", SQUARE, 3, {}, (6,)),
    ("square, arms of uneven noise", SQUARE, 3, {"uneven": True}, ()),
    ("square, one arm ten times as noisy", SQUARE, 3, {"wild": 10.0}, ()),
    ("eight arms", factorial("abc"), 3, {}, ()),
    ("a quarter of six, one interaction aliased", fraction("abcdef", "quarter"), 2, {}, ()),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "rows", "seeds", "noise", "absent"), COVERED, ids=[c[0] for c in COVERED])
def test_intervals_cover_planted_effects(
    name: str, rows: list[Row], seeds: int, noise: dict[str, Any], absent: tuple[int, ...]
) -> None:
    """500 simulated studies, planted main effects and one planted interaction, noise of seeds, runs, clips and images."""
    planted = {"a": 2.0, "b": -1.0, "a x b": 1.5}
    inside: dict[str, list[bool]] = {}
    for study in range(500):
        values = simulate(rows, seeds, planted, np.random.default_rng([study, seeds]), **noise)
        found = analyse_metric(METRIC, runs_of(rows, range(seeds), values, absent=absent), rows)
        given = [("t", e.interval, planted.get(e.name.partition(" (=")[0], 0.0)) for e in found.effects]
        given += [("bootstrap", e.bootstrap, g[2]) for e, g in zip(found.effects, given, strict=True)]
        given += [("hc3", e.hc3.interval, g[2]) for e, g in zip(found.effects, given, strict=False) if e.hc3]
        if rows == SQUARE and seeds > 2:
            whole = [e for e in found.leave_one_out if e.interval]
            given += [("loo", e.interval, planted[e.factor] + planted["a x b"]) for e in whole]
        for kind, interval, truth in given:
            low, high = known(interval)
            inside.setdefault(kind, []).append(low <= truth <= high)
    covered = {kind: float(np.mean(values)) for kind, values in inside.items()}
    print(f"\ncoverage, {name}: {covered}")
    # The noise of all arms is pooled: of one that is far wilder than the others it is known too badly, as the report says.
    assert covered["t"] >= (0.88 if "wild" in noise else 0.93)
    assert covered.get("loo", 1) >= 0.93
    if noise.get("slope") == 0:
        assert covered["hc3"] >= 0.93, "HC3 speaks of other runs on the same clips"


@pytest.mark.slow
def test_an_effect_of_the_detectable_size_is_found_four_times_in_five() -> None:
    found, size = 0, 2 * 1.0 / np.sqrt(12) * stats.t.ppf([0.975, 0.8], 6).sum()
    for study in range(500):
        rng = np.random.default_rng([study, 5])
        values = (
            np.repeat(rng.normal(0, 1, 12)[:, None], 3, axis=1) + size / 2 * np.array([r["a"] for r in SQUARE] * 3)[:, None]
        )
        found += known(by_name(analyse_metric(METRIC, runs_of(SQUARE, (0, 1, 2), values), SQUARE))["a"].p) < 0.05
    assert 0.75 <= found / 500 <= 0.85


def test_a_summary_has_the_effects_from_the_folder_alone(tiny: Config, tmp_path: Path) -> None:
    design = choose_design("factorial", tiny, factors=("pixel_space", "feature_space"))
    made = make_plan(
        tiny, design.arms, design="factorial", preset="demo", seeds=(0, 1, 2), candidates=1,
        data=PLANNED_DATA, commit="c", factors=design.factors,
    )  # fmt: skip
    open_study(tmp_path, made)
    values = simulate([a.levels for a in design.arms], 3, {"pixel_space": 0, "feature_space": 4}, np.random.default_rng(19))
    clips = [f"5{c:02d}" for c in range(12)]
    for i, trial in enumerate(made.trials[:-1]):
        folder = trial_folder(tmp_path, trial)
        folder.write_state("COMPLETED", images=8, seconds=1.0, passes={})
        write_json(folder.path / "scores.json", summarise(dict.fromkeys(METRICS, values[i]), clips))
    trial_folder(tmp_path, made.trials[-1]).write_state("DIVERGED", images=8, seconds=1.0, passes={})
    summary = summarise_study(tmp_path, read_plan(tmp_path), None)
    write_json(tmp_path / "summary.json", summary)
    found = known(summary.effects)
    assert found.factors == ("pixel_space", "feature_space") and set(found.metrics) == set(HEADLINES)
    rows = [a.levels for a in design.arms]
    expected = analyse_metric(METRIC, runs_of(rows, (0, 1, 2), values, absent=(11,)), rows)
    assert [e.estimate for e in found.metrics[METRIC].effects] == pytest.approx([e.estimate for e in expected.effects])
    assert found.metrics[METRIC].missing == (MissingRun("full", 2, "DIVERGED", ""),)
    assert [c.claim for c in summary.claims] == ["feature_over_pixel", "synergy"]


def test_a_summary_of_a_study_without_factors_has_no_effects(tiny: Config, tmp_path: Path) -> None:
    made = make_plan(
        tiny, choose_design("figure2", tiny).arms, design="figure2", preset="demo", seeds=(0,), candidates=1,
        data=PLANNED_DATA, commit="c",
    )  # fmt: skip
    assert summarise_study(tmp_path, made, None).effects is None


def faceless(values: Floats, arm: int, found: int) -> list[Run]:
    """Runs of which one arm shows a face on the first clips alone, in each seed."""
    runs = runs_of(SQUARE, (0, 1, 2), values)
    return [
        Run(
            r.arm,
            r.seed,
            r.levels,
            r.state,
            {c: v if i % 4 != arm or n < found else None for n, (c, v) in enumerate(r.clips.items())},
        )
        for i, r in enumerate(runs)
    ]


def test_landmark_fidelity_is_told_by_the_area_where_an_arm_shows_no_face() -> None:
    values = simulate(SQUARE, 3, {"a": 3, "b": 1, "a x b": 0}, np.random.default_rng(12))
    given = {m: runs_of(SQUARE, (0, 1, 2), values) for m in (*HEADLINES, LANDMARK_AUC)} | {
        LANDMARK_ERROR: faceless(values, 1, 0)
    }
    broken = analyse_metric(LANDMARK_ERROR, given[LANDMARK_ERROR], SQUARE)
    assert all("if no interactions" in effect.name for effect in broken.effects)
    found = analyse_study(given, SQUARE)
    assert tuple(found.metrics) == found.family.metrics == ("identity_to_target", LANDMARK_AUC, "face_error")
    assert [e.name for e in found.metrics[LANDMARK_AUC].effects] == ["a", "b", "a x b"]
    assert found.metrics[LANDMARK_AUC].better == "more"
    names = ", ".join(f"{SQUARE_ARMS[1]} (seed {seed})" for seed in (0, 1, 2))
    assert f"no value on most clips in {names}, because no face was found there" in found.replaced
    said = next(row.sentence for row in answer_factors(found) if row.metric == LANDMARK_AUC)
    assert "changes landmark area up to 0.08 (no face counts as failure) by" in said


def test_the_landmark_error_stays_where_every_run_shows_faces() -> None:
    values = simulate(SQUARE, 3, {"a": 3, "b": 1, "a x b": 0}, np.random.default_rng(12))
    given = {m: runs_of(SQUARE, (0, 1, 2), values) for m in (*HEADLINES, LANDMARK_AUC)}
    assert choose_headlines(given) == (HEADLINES, "")
    # Half of the clips with a face is enough for a mean; less is not.
    assert choose_headlines(given | {LANDMARK_ERROR: faceless(values, 1, 6)})[0] == HEADLINES
    assert LANDMARK_AUC in choose_headlines(given | {LANDMARK_ERROR: faceless(values, 1, 5)})[0]
    # A study of before there was an area keeps what it has.
    old = given | {
        LANDMARK_ERROR: faceless(values, 1, 0),
        LANDMARK_AUC: [Run(r.arm, r.seed, r.levels, r.state, {}) for r in given[METRIC]],
    }
    assert choose_headlines(old) == (HEADLINES, "")
