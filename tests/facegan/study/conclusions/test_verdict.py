"""Verdicts on planted scores."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegan.config import Config
from facegan.metrics.card import MetricSummary, summarise
from facegan.metrics.table import METRICS
from facegan.study.conclusions.summary import summarise_study
from facegan.study.conclusions.verdict import adjust_over_arms, compare_with, decide_verdict
from facegan.study.design.analysis_plan import default_analysis
from tests.facegan.study.planted_study import CLIPS, REFERENCES, finish_trial, make_study, planted_card

SMALLEST = default_analysis().smallest_effects


def test_verdicts_follow_planted_scores(tmp_path: Path, tiny: Config) -> None:
    plan = make_study(tmp_path, tiny)
    copying, following, drifting, broken = plan.trials
    finish_trial(tmp_path, copying, planted_card(29.05, 0.25, 0.93, seed=1))
    finish_trial(tmp_path, following, planted_card(21.9, 0.14, 0.36, seed=2))
    finish_trial(tmp_path, drifting, planted_card(29.02, 0.25, 0.49, seed=3))
    finish_trial(tmp_path, broken, planted_card(60, 0.5, 0.5, seed=4))
    arms = summarise_study(tmp_path, plan, REFERENCES).arms
    assert [a.outcome for a in arms] == ["copies", "follows", "equivalent", "worse"]
    assert arms[0].verdict.startswith("copies the source: source likeness 0.93")
    # Clips differ by ten grey levels; only pairing by clip gives such a narrow interval about a difference of 7.
    assert "face error 21.9 against 29" in arms[1].verdict
    low, high = arms[1].against_copied_source["face_error"].interval
    assert -8 < low < high < -6


def test_too_few_clips_give_no_verdict(tmp_path: Path, tiny: Config) -> None:
    plan = make_study(tmp_path, tiny)
    finish_trial(tmp_path, plan.trials[0], summarise({metric: np.array([0.9, 0.9]) for metric in METRICS}, ["500", "501"]))
    arms = summarise_study(tmp_path, plan, None).arms
    assert arms[0].verdict.startswith("too few test people for a verdict: 2")
    assert arms[1].verdict == "no result: 1 of 1 trials PENDING"


def test_many_clips_of_few_people_give_no_verdict(tmp_path: Path, tiny: Config) -> None:
    """The interval of twelve clips of one person is of that person only, and has no width when people are resampled."""
    plan = make_study(tmp_path, tiny)
    finish_trial(tmp_path, plan.trials[0], planted_card(21.9, 0.14, 0.36, seed=2))
    for people, outcome in ((4, "unknown"), (5, "follows")):
        by_clip = {clip: f"{i % people}" for i, clip in enumerate(CLIPS)}
        arm = summarise_study(tmp_path, plan, REFERENCES, people=by_clip).arms[0]
        assert arm.outcome == outcome
        assert arm.against_copied_source["face_error"].people == people


def test_a_metric_measured_on_few_people_does_not_count() -> None:
    card = planted_card(21.9, 0.14, 0.36, seed=2)
    compared = compare_with(card, REFERENCES["source copied"], {}, {})
    assert decide_verdict(card, compared, {}, ["COMPLETED"], {})[0] == "follows"
    few = {metric: replace(found, people=4) for metric, found in compared.items()}
    assert decide_verdict(card, few, {}, ["COMPLETED"], {})[0] == "between"


def of_clips(values: "np.ndarray[Any, Any]") -> MetricSummary:
    mean = float(values.mean())
    return MetricSummary(mean, (mean - 0.02, mean + 0.02), dict(zip(CLIPS, map(float, values), strict=True)))


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [1, 3])
def test_arms_that_are_as_far_off_as_a_copy_are_rarely_called_anything_else(seeds: int) -> None:
    """100 studies of four arms that differ from the copied source by noise alone, half-way between source and target."""
    rng, called = np.random.default_rng(30), 0
    for _ in range(100):
        hard, arms = rng.normal(0, 5, 12), {}
        copied = {"face_error": of_clips(25 + hard), "landmark_error": of_clips(0.2 + 0.02 * hard)}
        for arm in "abcd":
            noise = rng.normal(0, 2, (2, seeds, 12)).mean(axis=1)
            arms[arm] = {
                "face_error": of_clips(25 + hard + noise[0]),
                "landmark_error": of_clips(0.2 + 0.02 * (hard + noise[1])),
            }
            arms[arm] |= {"source_likeness": of_clips(np.full(12, 0.5)), "faces_found": of_clips(np.ones(12))}
        compared = adjust_over_arms({a: compare_with(card, copied, {}, SMALLEST) for a, card in arms.items()})
        outcomes = [decide_verdict(card, compared[a], {}, ["COMPLETED"], {})[0] for a, card in arms.items()]
        called += any(outcome in ("follows", "worse") for outcome in outcomes)
    print(f"\nstudies with a false verdict, {seeds} seeds: {called / 100}")
    assert called / 100 <= 0.05


def test_a_difference_below_the_smallest_of_interest_is_no_verdict() -> None:
    """0.5 grey levels less than the copied source, in every person alike."""
    hard = np.linspace(-5, 5, 12)
    card = {
        "face_error": of_clips(24.5 + hard),
        "source_likeness": of_clips(np.full(12, 0.3)),
        "faces_found": of_clips(np.ones(12)),
    }
    copied = {"face_error": of_clips(25 + hard + np.tile([0.1, -0.1], 6))}
    for smallest, outcome in ((1.0, "equivalent"), (0.1, "follows")):
        compared = adjust_over_arms({"a": compare_with(card, copied, {}, {"face_error": smallest})})["a"]
        assert decide_verdict(card, compared, {}, ["COMPLETED"], {})[0] == outcome


@pytest.mark.parametrize(
    ("face_error", "says"),
    [
        (18.0, "it beats the source warped"),
        (22.1, "it is as good as the source warped"),
        (29.0, "it is worse than the source warped"),
        (23.0, "it does not beat the source warped"),
        (21.0, "it may beat the source warped"),
    ],
)
def test_every_verdict_says_whether_the_arm_beats_the_warped_source(
    face_error: float, says: str, tmp_path: Path, tiny: Config
) -> None:
    plan = make_study(tmp_path, tiny)
    finish_trial(tmp_path, plan.trials[0], planted_card(face_error, 0.14, 0.36, seed=2))
    arm = summarise_study(tmp_path, plan, REFERENCES | {"source warped": planted_card(22, 0.1, 0.4, seed=5)}).arms[0]
    assert f"{says} to the target landmarks (face error {arm.scores['face_error'].mean:.1f} against " in arm.verdict
