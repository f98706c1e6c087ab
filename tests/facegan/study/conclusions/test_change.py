"""Verdicts on a change: the rule, the conclusion from a study's files, and error rates by simulation."""

from collections import Counter
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from facegan.config import Config
from facegan.metrics.table import HEADLINES
from facegan.report.change_table import cost_lines
from facegan.report.study_text import markdown_answers, result_lines
from facegan.study.analysis.effect_records import Bounds
from facegan.study.analysis.effects import analyse_study, direction
from facegan.study.analysis.holm import holm
from facegan.study.analysis.intervals import two_way_interval
from facegan.study.analysis.looks import present_look
from facegan.study.conclusions.change import MetricVerdict, Outcome, decide, judge
from facegan.study.conclusions.change_cost import ChangeCost, cost_of_change
from facegan.study.conclusions.next_look import seeds_of_next_look
from facegan.study.conclusions.summary import Summary, summarise_study
from facegan.study.design.analysis_plan import looks_until
from facegan.study.design.change import analysis_of_change, compared_arms
from facegan.study.design.plan import Plan, make_plan
from facegan.study.folder.study_folder import open_study
from facegan.study.folder.trial_folder import MetricsRow, trial_folder
from facegan.training.flops import count_step
from tests.facegan.study.planted import Floats, runs_of
from tests.facegan.study.planted_study import finish_trial, planted_card
from tests.known import known
from tests.planning import PLANNED_DATA


@pytest.mark.parametrize(
    ("interval", "p", "better", "verdict"),
    [
        (None, None, 1, "undecided"),
        ((-0.9, 0.9), 1.0, 1, "equal"),
        ((0.1, 0.9), 0.001, 1, "equal"),
        ((0.1, 1.5), 0.01, 1, "better"),
        ((0.1, 1.5), 0.06, 1, "not worse"),
        ((0.1, 1.5), 0.01, -1, "worse"),
        ((-1.5, -0.1), 0.01, -1, "better"),
        ((-1.5, -0.1), 0.06, 1, "undecided"),
        ((-0.5, 1.5), 0.5, 1, "not worse"),
        ((-0.5, 1.5), 0.5, -1, "undecided"),
        ((-1.0, 0.5), 0.5, 1, "undecided"),
    ],
)
def test_a_metric_is_judged_by_its_interval_margin_and_p(
    interval: Bounds | None, p: float | None, better: int, verdict: str
) -> None:
    assert judge(interval, p, 1.0, better) == verdict


@pytest.mark.parametrize(
    ("verdicts", "outcome"),
    [
        (["better", "equal", "not worse"], "keep"),
        (["better", "undecided"], "undecided"),
        (["better", "worse"], "discard"),
        (["worse", "undecided"], "discard"),
        (["equal", "equal"], "equal"),
        (["equal", "not worse"], "undecided"),
        (["equal", "not comparable"], "equal"),
        (["not comparable"], "undecided"),
        ([], "undecided"),
    ],
)
def test_the_outcome_follows_from_the_verdicts(verdicts: list[MetricVerdict], outcome: str) -> None:
    assert decide(verdicts) == outcome


def make_comparison(root: Path, config: Config, seeds: Sequence[int], max_seeds: int = 4, change: str = "loss.pixel=5") -> Plan:
    plan = make_plan(
        config,
        compared_arms(config, [change]),
        design="compare",
        preset="demo",
        seeds=seeds,
        data=PLANNED_DATA,
        commit="abc",
        analysis=analysis_of_change(looks_until(max_seeds), []),
    )
    return open_study(root, plan)


def finish(root: Path, plan: Plan, face_error: float, likeness: float = 0.3) -> Summary:
    """The summary after all trials: the changed arm has this face error, and 10 in the base."""
    for trial in plan.trials:
        is_changed = trial.arm == "changed"
        error = face_error if is_changed else 10.0
        finish_trial(root, trial, planted_card(error + 0.01 * trial.seed, 0.1, likeness, trial.seed + 100 * is_changed))
    return summarise_study(root, plan)


@pytest.mark.parametrize(
    ("face_error", "outcome", "words"),
    [(10.01, "equal", "every metric differs by less"), (5.0, "keep", "face error is better by"), (15.0, "discard", "worse")],
)
def test_a_study_concludes_and_says_so(face_error: float, outcome: str, words: str, tmp_path: Path, tiny: Config) -> None:
    plan = make_comparison(tmp_path, tiny, [0, 1, 2, 3], max_seeds=5)
    summary = finish(tmp_path, plan, face_error)
    change = known(summary.change)
    assert change.outcome == outcome and words in change.sentence
    assert (change.seeds, change.people, change.looks_left) == (4, 12, 1)
    assert change.changes == {"loss.pixel": ("10.0", "5.0")}
    assert not summary.claims and not summary.answers and not summary.study.analysis.deviation
    row = next(row for row in change.metrics if row.metric == "face_error")
    assert known(row.effect) == pytest.approx(face_error - 10, abs=0.2)
    assert known(row.effect) == pytest.approx(known(row.changed) - known(row.base))
    assert row.p == known(summary.effects).metrics["face_error"].effects[0].p_holm
    assert change.sentence in "\n".join(result_lines(summary)) and change.sentence in markdown_answers(summary)
    assert seeds_of_next_look(plan, summary.claims, change) == ()


def test_an_open_comparison_goes_on_with_the_next_seed(tmp_path: Path, tiny: Config) -> None:
    plan = make_comparison(tmp_path, tiny, [0, 1, 2])
    summary = summarise_study(tmp_path, plan)
    assert known(summary.change).outcome == "undecided" and "too few runs" in known(summary.change).sentence
    assert seeds_of_next_look(plan, summary.claims, summary.change) == (0, 1, 2, 3)


def test_a_change_that_diverges_is_discarded(tmp_path: Path, tiny: Config) -> None:
    plan = make_comparison(tmp_path, tiny, [0, 1, 2])
    lost = next(trial for trial in plan.trials if trial.arm == "changed")
    finish(tmp_path, plan, 10.0)
    folder = trial_folder(tmp_path, lost)
    (folder.path / "scores.json").unlink()
    folder.write_state("DIVERGED", images=8, seconds=1.0, passes={}, error="pixel is nan")
    change = known(summarise_study(tmp_path, plan).change)
    assert change.outcome == "discard" and change.diverged == (0, 1)
    assert "not finite in 1 changed runs and in 0" in change.sentence


def test_identity_is_not_compared_where_an_arm_copies(tmp_path: Path, tiny: Config) -> None:
    plan = make_comparison(tmp_path, tiny, [0, 1, 2, 3])
    for trial in plan.trials:
        following = 0.0 if trial.arm == "base" else 0.8
        finish_trial(tmp_path, trial, planted_card(10, 0.1, 0.9, trial.seed, following=following + 0.001 * trial.seed))
    change = known(summarise_study(tmp_path, plan).change)
    verdicts = {row.metric: row.verdict for row in change.metrics}
    assert verdicts["identity_kept"] == "not comparable" and verdicts["target_following"] == "better"
    assert change.outcome == "keep" and "Identity is not compared, because Base copies the source" in change.sentence


def train_at(root: Path, plan: Plan, starts: dict[tuple[str, int], float]) -> ChangeCost:
    """The cost where the base takes 2 seconds for 10 images; the changed arm takes 4 and 1 seconds, by seed. `starts`: when."""
    for trial in plan.trials:
        seconds = {"base": 2.0, "changed": (4.0, 1.0)[trial.seed % 2]}[trial.arm]
        folder, start = trial_folder(root, trial), starts[trial.arm, trial.seed]
        folder.write_state("COMPLETED", images=10, seconds=seconds, passes={})
        folder.forget_rows_after(0) if (folder.path / "metrics.jsonl").exists() else None
        folder.append_row(MetricsRow(5, seconds / 2, start + seconds / 2, {}))
        folder.append_row(MetricsRow(10, seconds, start + seconds, {}))
    return cost_of_change(plan, root, {trial.key: trial_folder(root, trial).state() for trial in plan.trials})


def test_the_training_time_is_compared_in_each_seed(tmp_path: Path, tiny: Config) -> None:
    plan = make_comparison(tmp_path, tiny, [0, 1])
    cost = train_at(tmp_path, plan, dict.fromkeys(product(("base", "changed"), (0, 1)), 100.0))
    assert known(cost.ratio) == pytest.approx(1.0) and cost.ratio_range == (0.5, 2.0) and cost.beside == (0, 1)
    assert (cost.base.seconds_per_image, cost.changed.seconds_per_image) == (0.2, 0.25)
    assert cost.operations == 1.0, "a weight costs nothing"


def test_runs_of_another_day_are_counted_but_their_time_is_not_compared(tmp_path: Path, tiny: Config) -> None:
    plan = make_comparison(tmp_path, tiny, [0, 1])
    # Seed 0: one after the other, with a pause of 1.5 seconds. Seed 1: the base is from the day before.
    starts = {("base", 0): 100_000.0, ("changed", 0): 100_003.5, ("base", 1): 100_000.0 - 86_400, ("changed", 1): 100_000.0}
    cost = train_at(tmp_path, plan, starts)
    assert cost.beside == (0,) and known(cost.ratio) == pytest.approx(2.0) and cost.ratio_range == (2.0, 2.0)
    assert (cost.base.seconds_per_image, cost.changed.seconds_per_image) == (0.2, 0.4)
    assert (cost.base.seconds, cost.changed.seconds) == (4.0, 5.0)
    operations, time = cost_lines(cost)
    assert "1.00 times, counted" in operations and time == (
        "training time: 0.2 -> 0.4 s an image, 2.00 times (2.00 to 2.00), of seed 0, whose runs were trained beside each other"
    )
    # A pause longer than the shorter run; and before that the other one first.
    for start, beside in ((100_004.5, ()), (99_994.5, (0,))):
        assert train_at(tmp_path, plan, {**starts, ("changed", 0): start}).beside == beside
    nothing = train_at(tmp_path, plan, {**starts, ("changed", 0): 99_993.0})
    assert (nothing.ratio, nothing.base.seconds_per_image) == (None, None) and "not compared" in cost_lines(nothing)[1]


def test_the_operations_of_both_configurations_are_counted(tmp_path: Path, tiny: Config) -> None:
    plan = make_comparison(tmp_path, tiny, [0], change="loss.perceptual=0")
    cost = known(summarise_study(tmp_path, plan).change).cost
    arms = {arm.name: arm.apply(plan.base) for arm in plan.arms}
    base, changed = (count_step(arms[name])[0] for name in ("base", "changed"))
    assert (cost.base.gflop_per_image, cost.changed.gflop_per_image) == (base, changed) and changed < base
    assert cost.operations == pytest.approx(changed / base) and cost.ratio is None


LOOKS = looks_until(10)
MARGINS = np.array([0.1, 0.1, 1.0, 0.01])
NOISE = {"run": 0.3, "people": 0.4, "rest": 0.6}
"""Standard deviations in margins: between runs, of an effect between people, and of each run on each person."""


def differences(rng: np.random.Generator, effects: Sequence[float]) -> Floats:
    """[metrics, seeds, people] changed minus base in margins, more is better, with planted effects on the first metrics."""
    shape = (len(HEADLINES), LOOKS[-1], 12)
    noise = (
        np.sqrt(2) * NOISE["run"] * rng.normal(0, 1, (*shape[:2], 1))
        + NOISE["people"] * rng.normal(0, 1, (shape[0], 1, shape[2]))
        + np.sqrt(2) * NOISE["rest"] * rng.normal(0, 1, shape)
    )
    planted = np.zeros(len(HEADLINES))
    planted[: len(effects)] = effects
    return np.asarray(planted[:, None, None] + noise, np.float64)


def concluded(found: Floats) -> tuple[Outcome, int]:
    """The outcome and the number of seeds of a comparison that stops when it is decided, as the job does."""
    decided = ((at_look(found, seeds), seeds) for seeds in LOOKS)
    return next((both for both in decided if both[0] != "undecided"), ("undecided", LOOKS[-1]))


def at_look(found: Floats, seeds: int) -> Outcome:
    """The outcome with the first seeds, as `analyse_study` and `conclude_change` find it, without what takes time there."""
    look = present_look(LOOKS, seeds)
    intervals = [
        two_way_interval(of_seeds.mean(axis=0), of_seeds.mean(axis=1).var(ddof=1) / seeds, seeds - 1, look.nominal_level)
        for of_seeds in found[:, :seeds]
    ]
    p = holm([interval.p for interval in intervals], len(intervals), look)
    return decide([judge(i.bounds, adjusted, 1.0, 1) for i, adjusted in zip(intervals, p, strict=True)])


@pytest.mark.parametrize(("effect", "outcome"), [(0.0, "equal"), (1.5, "keep"), (-1.5, "discard"), (0.5, "undecided")])
def test_the_simulation_concludes_as_the_analysis_of_a_study_does(effect: float, outcome: str) -> None:
    seeds = 8
    arms, analysis = compared_arms(Config(), ["loss.pixel=5"]), analysis_of_change(LOOKS, [])
    planned = [arm.levels for arm in arms]
    found = differences(np.random.default_rng(2), [effect])
    runs = {}
    for metric, margin, of_metric in zip(HEADLINES, MARGINS, found, strict=True):
        values = np.stack([np.zeros((seeds, 12)), of_metric[:seeds] * margin * direction(metric)], axis=1)
        runs[metric] = runs_of(planned, range(seeds), values.reshape(2 * seeds, 12))
    runs["landmark_auc"] = runs["landmark_error"]
    verdicts = [
        judge(of.effects[0].interval, of.effects[0].p_holm, known(of.smallest_of_interest), direction(metric))
        for metric, of in analyse_study(runs, planned, analysis).metrics.items()
    ]
    assert decide(verdicts) == at_look(found, seeds) == outcome


@pytest.mark.slow
@pytest.mark.parametrize(
    ("effects", "right", "least"),
    [
        ([], "equal", 0.75),
        ([1.0], "keep", 0.75),
        ([2.0], "keep", 0.85),
        ([-1.0], "discard", 0.8),
        ([-2.0], "discard", 0.95),
        ([2.0, -1.0], "discard", 0.8),
    ],
)
def test_changes_that_do_nothing_are_rarely_called_an_effect_and_others_are_found(
    effects: list[float], right: Outcome, least: float
) -> None:
    """Over all looks and metrics; jobs/README.md has the table of 2,000 studies."""
    studies = 200
    found = [concluded(differences(np.random.default_rng([i, 11]), effects)) for i in range(studies)]
    share = {outcome: count / studies for outcome, count in Counter(outcome for outcome, _ in found).items()}
    print(f"\n{effects}: {share}, {np.mean([seeds for _, seeds in found]):.1f} seeds")
    assert share.get(right, 0.0) >= least
    if min(effects, default=0.0) < 0:
        assert share.get("keep", 0.0) + share.get("equal", 0.0) <= 0.05
    if not effects:
        assert share.get("keep", 0.0) + share.get("discard", 0.0) <= 0.05
