"""The two claims on planted studies: correct answers where the design can give them, and the reason where it cannot."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np
import pytest

from facegan.config import Config
from facegan.metrics.table import METRICS
from facegan.study.analysis.effects import analyse_study, look_of
from facegan.study.analysis.runs import Run
from facegan.study.conclusions.claim_records import NOT_ESTIMABLE, TOO_FEW, UNDECIDED, ClaimConclusion
from facegan.study.conclusions.claims import conclude_claims, examine_claims, p_values_of
from facegan.study.design.analysis_plan import default_analysis
from facegan.study.design.arms import Design, choose_design
from tests.facegan.study.planted import METRIC
from tests.known import known

GROUPS = ("pixel_space", "feature_space")
SQUARE = choose_design("factorial", Config(), factors=GROUPS)


def study(
    design: Design,
    seeds: int,
    effects: dict[str, float],
    rng: np.random.Generator,
    *,
    noise: float = 0.01,
    absent: Sequence[int] = (),
) -> tuple[ClaimConclusion, ...]:
    """The conclusions from planted effects on identity, with noise of seeds, runs, clips and images."""
    runs: list[Run] = []
    clips = rng.normal(0, 0.05, 12)
    sizes = {name: size + rng.normal(0, noise, 12) for name, size in effects.items()}
    for seed in range(seeds):
        shift = rng.normal(0, 0.05)
        for arm in design.arms:
            levels = {name: np.prod([arm.levels[f] for f in name.split(" x ")]) for name in effects}
            values = 0.9 + shift + clips + sum(levels[name] * sizes[name] / 2 for name in effects) + rng.normal(0, noise)
            scores: dict[str, float | None] = {f"c{c}": float(v + rng.normal(0, noise)) for c, v in enumerate(values)}
            if len(runs) in absent:
                runs.append(Run(arm.name, seed, arm.levels, "FAILED", {}))
            else:
                runs.append(Run(arm.name, seed, arm.levels, "COMPLETED", scores))
    return answers_of(design, runs)


def answers_of(design: Design, runs: list[Run]) -> tuple[ClaimConclusion, ...]:
    """The conclusions from runs of identity; the other headlines, which have no scores yet, count as tests."""
    planned = [arm.levels for arm in design.arms]
    analysis = replace(default_analysis(), smallest_effects={METRIC: 0.01})
    empty = [Run(run.arm, run.seed, run.levels, "PENDING", {}) for run in runs]
    by_metric = {metric: runs if metric == METRIC else empty for metric in METRICS}
    examined = examine_claims(design.name, design.factors, by_metric, planned, analysis, look_of(analysis, by_metric))
    found = conclude_claims(examined, analyse_study(by_metric, planned, analysis, p_values_of(examined)))
    return tuple(claim for claim in found if claim.metric == METRIC)


@pytest.mark.parametrize(
    ("effects", "answers"),
    [
        ({"feature_space": 0.3, "pixel_space": -0.02, "pixel_space x feature_space": 0.15}, ("yes", "yes")),
        ({"feature_space": -0.3, "pixel_space": 0.02, "pixel_space x feature_space": -0.1}, ("yes", "no")),
        ({"feature_space": -0.3, "pixel_space": -0.25, "pixel_space x feature_space": 0.1}, ("yes", "no")),
        ({"feature_space": 0.3, "pixel_space": 0.1, "pixel_space x feature_space": 0.1}, ("yes", "yes")),
        ({"feature_space": 0.02, "pixel_space": -0.3, "pixel_space x feature_space": 0.0}, ("no", UNDECIDED)),
        ({"feature_space": 0.1, "pixel_space": -0.1, "pixel_space x feature_space": 0.0}, (UNDECIDED, UNDECIDED)),
    ],
)
def test_answers_match_planted_effects(effects: dict[str, float], answers: tuple[str, str]) -> None:
    found = study(SQUARE, 6, effects, np.random.default_rng(1))
    assert tuple(claim.answer for claim in found) == answers
    assert [claim.claim for claim in found] == ["feature_over_pixel", "synergy"]
    for claim in found:
        assert METRIC.replace("_", " ") in claim.sentence.replace("_", " ")
        low, high = known(claim.interval)
        assert f"95 % interval {low:+.3g} to {high:+.3g}; 6 seeds, 12 people; p " in claim.sentence
        assert "after Holm over 16 tests)" in claim.sentence
        assert f" {claim.estimate:+.3g} (95 %" in claim.sentence
        assert known(claim.bootstrap)[0] <= known(claim.estimate) <= known(claim.bootstrap)[1]
    difference = abs(effects["feature_space"]) - abs(effects["pixel_space"])
    assert found[0].estimate == pytest.approx(difference, abs=0.03)
    assert found[1].estimate == pytest.approx(effects["pixel_space x feature_space"], abs=0.02)
    json.dumps([asdict(claim) for claim in found], allow_nan=False)


def test_sentences_name_the_terms_and_the_direction() -> None:
    effects = {"feature_space": -0.3, "pixel_space": 0.02, "pixel_space x feature_space": 0.1}
    found = study(SQUARE, 6, effects, np.random.default_rng(2))
    assert found[0].sentence.startswith("Yes, feature-space terms change identity more, and lower it: identity kept changes")
    assert " with the feature-space terms (perceptual, identity) and by +0.0" in found[0].sentence
    assert (
        " with the pixel-space terms (pixel, self_consistency, triple_consistency) on against off, a difference in size of +0.2"
        in found[0].sentence
    )
    lead = "No synergy, a group only hurts identity less where the other is on: "
    assert found[1].answer == "no" and found[1].sentence.startswith(lead), "-0.3 + 0.1 is still a loss"
    assert "feature-space terms change it by -0.19" in found[1].sentence
    helping = study(SQUARE, 6, effects | {"feature_space": 0.3}, np.random.default_rng(2))
    assert helping[0].sentence.startswith("Yes, feature-space terms change identity more, and raise it")
    assert helping[1].sentence.startswith("Yes, synergy: each group helps identity where the other is on, and more than alone:")


def test_missing_runs_and_a_noisy_arm_enter_the_sentence() -> None:
    effects = {"feature_space": 0.3, "pixel_space": 0.02, "pixel_space x feature_space": 0.1}
    found = study(SQUARE, 6, effects, np.random.default_rng(1), absent=(3, 10))
    for claim in found:
        assert "2 of 24 runs are missing (full seed 0 FAILED, no_feature_space seed 2 FAILED)" in claim.sentence
        assert "At worst and at best they would make it" in claim.sentence
    assert all("which keeps the sign" in claim.sentence for claim in found)
    weak = study(SQUARE, 6, effects | {"pixel_space x feature_space": 0.01}, np.random.default_rng(1), absent=(3, 10))
    assert "which may change the sign" in weak[1].sentence


def test_effects_smaller_than_any_of_interest_are_called_so() -> None:
    effects = {"feature_space": 0.001, "pixel_space": 0.001, "pixel_space x feature_space": 0.0}
    found = study(SQUARE, 8, effects, np.random.default_rng(3), noise=0.001)
    assert [claim.answer for claim in found] == ["equivalent", "equivalent"]
    assert all("smaller than the 0.01 of interest" in claim.sentence for claim in found)


def test_effects_of_single_terms_add_up_to_those_of_their_groups() -> None:
    design = choose_design("factorial", Config(), factors=("pixel", "consistency", "perceptual", "identity"))
    effects = {
        "pixel": 0.05,
        "consistency": -0.05,
        "perceptual": 0.1,
        "identity": 0.1,
        "pixel x identity": 0.1,
        "consistency x identity": -0.04,
    }
    found = study(
        design, 5, {**effects, "perceptual x identity": 0.3, "pixel x consistency": 0.2}, np.random.default_rng(3), noise=0.001
    )
    assert [claim.answer for claim in found] == ["yes", "yes"]
    assert found[0].feature_effect == pytest.approx(0.2, abs=0.005)
    assert found[0].pixel_effect == pytest.approx(0, abs=0.005)
    assert found[1].estimate == pytest.approx(0.06, abs=0.005)


@pytest.mark.parametrize(
    ("name", "factors"), [("figure2", ()), ("loo", ()), ("add-one", ("pixel", "consistency", "perceptual"))]
)
def test_designs_that_switch_a_group_piece_by_piece_answer_neither_claim(name: str, factors: tuple[str, ...]) -> None:
    """Two terms that stand in for each other: leaving out either alone changes nothing."""
    design = choose_design(name, Config(), factors=factors)
    found = study(design, 6, {f.name: 0.3 for f in design.factors if f.name in ("feature_space", "perceptual")},
                  np.random.default_rng(4))  # fmt: skip
    assert [claim.answer for claim in found] == [NOT_ESTIMABLE, NOT_ESTIMABLE]
    assert "it never switches all " in found[0].sentence and "stand in for each other" in found[0].sentence
    says = "interactions cannot be separated" if name == "add-one" else "no arm with both groups off"
    assert found[1].interval is None and says in found[1].sentence


def test_leaving_out_whole_groups_answers_the_first_claim_in_the_full_loss() -> None:
    design = choose_design("loo", Config(), factors=("pixel_space", "feature_space"))
    found = study(design, 6, {"feature_space": 0.3, "pixel_space": 0.02}, np.random.default_rng(4))
    assert found[0].answer == "yes" and "on against off in the full loss, a difference" in found[0].sentence
    assert found[1].answer == NOT_ESTIMABLE


@pytest.mark.parametrize(
    ("factors", "says"),
    [
        (("pixel", "consistency"), "it never switches a feature-space term"),
        (("perceptual", "identity"), "it never switches a pixel-space term"),
        (("pixel+identity", "perceptual"), "its factor pixel+identity switches terms of both groups"),
    ],
)
def test_designs_without_both_groups_answer_neither_claim(factors: tuple[str, ...], says: str) -> None:
    design = choose_design("factorial", Config(), factors=factors)
    found = study(design, 3, {}, np.random.default_rng(6))
    assert [claim.answer for claim in found] == [NOT_ESTIMABLE, NOT_ESTIMABLE]
    assert all(says in claim.sentence for claim in found)


def test_groups_with_aliased_effects_are_not_estimable() -> None:
    """In a half fraction of three factors each main effect is aliased with the interaction of the others."""
    design = choose_design("fraction", Config(), factors=("pixel_space", "perceptual", "identity"), size="half")
    found = study(design, 3, {"pixel_space": 0.3}, np.random.default_rng(7))
    assert [claim.answer for claim in found] == [NOT_ESTIMABLE, NOT_ESTIMABLE]
    assert all("(= " in claim.sentence for claim in found)
    assert "perceptual (= pixel_space x identity): these cannot be told apart" in found[0].sentence


def test_a_half_fraction_of_five_factors_answers_both_claims() -> None:
    design = choose_design("fraction", Config(), size="half")
    found = study(design, 6, {"identity": 0.5, "pixel": 0.3, "pixel x identity": 0.2}, np.random.default_rng(8), noise=0.002)
    assert [claim.answer for claim in found] == ["yes", "yes"]


@pytest.mark.parametrize(("seeds", "absent"), [(1, ()), (1, (0, 1, 2)), (2, (0, 1, 4, 5)), (3, range(12)), (3, (0, 4, 8))])
def test_too_few_runs_give_no_answer(seeds: int, absent: Sequence[int]) -> None:
    effects = {"feature_space": 0.3, "pixel_space": 0.0, "pixel_space x feature_space": 0.1}
    found = study(SQUARE, seeds, effects, np.random.default_rng(9), absent=absent)
    assert [claim.answer for claim in found] == [TOO_FEW, TOO_FEW]
    assert all(claim.sentence.startswith("Too few runs") and claim.interval is None for claim in found)
    assert all(claim.sentence.lower().count("too few runs") == 1 for claim in found)


def test_one_seed_of_many_arms_answers_nothing() -> None:
    """A factorial of five factors has residual noise in a single seed, but it is not that of other seeds."""
    found = study(choose_design("factorial", Config()), 1, {"identity": 0.5}, np.random.default_rng(9))
    assert [claim.answer for claim in found] == [TOO_FEW, TOO_FEW]
    assert all(claim.pooled is not None for claim in found), "shown for comparison"


@pytest.mark.slow
@pytest.mark.parametrize(("pixel", "feature", "pair"), [(0.02, 0.02, 0.0), (0.05, -0.05, 0.02)])
def test_intervals_of_claims_cover_planted_values(pixel: float, feature: float, pair: float) -> None:
    """50 simulated studies of a 2 x 2 design with three seeds: a whole analysis takes up to a second."""
    studies, truths = 50, (abs(feature) - abs(pixel), pair)
    effects = {"feature_space": feature, "pixel_space": pixel, "pixel_space x feature_space": pair}
    covered = np.zeros((studies, 2))
    for i in range(studies):
        found = study(SQUARE, 3, effects, np.random.default_rng([i, 3]))
        covered[i] = [known(c.interval)[0] <= truth <= known(c.interval)[1] for c, truth in zip(found, truths, strict=True)]
    print(f"\ncoverage of claims, pixel {pixel}, feature {feature}, pair {pair}: {covered.mean(axis=0)}")
    assert (covered.mean(axis=0) >= 0.92).all()


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_equal_scores_in_all_runs_are_finite_and_equivalent(value: float) -> None:
    """Very short runs in which no face is found: every run has the same identity, and every effect is exactly 0."""
    runs = [
        Run(arm.name, seed, arm.levels, "COMPLETED", {f"c{c}": value for c in range(12)})
        for seed in range(3)
        for arm in SQUARE.arms
    ]
    found = answers_of(SQUARE, runs)
    json.dumps([asdict(claim) for claim in found], allow_nan=False)
    assert all(claim.estimate is not None and abs(claim.estimate) < 1e-12 for claim in found)
    assert {claim.answer for claim in found} <= {"equivalent", UNDECIDED, TOO_FEW}
