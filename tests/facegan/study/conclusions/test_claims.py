"""The two claims on planted studies: correct answers where the design can give them, and the reason where it cannot."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pytest

from facegan.config import Config
from facegan.study.analysis.runs import Run
from facegan.study.conclusions.claims import METRIC, NOT_ESTIMABLE, TOO_FEW, UNDECIDED, ClaimConclusion, answer_claims
from facegan.study.design.arms import Design, choose_design
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
    return answer_claims(design.name, design.factors, runs, [arm.levels for arm in design.arms])


@pytest.mark.parametrize(
    ("effects", "answers"),
    [
        ({"feature_space": 0.3, "pixel_space": -0.02, "pixel_space x feature_space": 0.1}, ("yes", "yes")),
        ({"feature_space": -0.3, "pixel_space": 0.02, "pixel_space x feature_space": -0.1}, ("yes", "no")),
        ({"feature_space": 0.02, "pixel_space": -0.3, "pixel_space x feature_space": 0.0}, ("no", UNDECIDED)),
        ({"feature_space": 0.1, "pixel_space": -0.1, "pixel_space x feature_space": 0.0}, (UNDECIDED, UNDECIDED)),
    ],
)
def test_answers_match_planted_effects(effects: dict[str, float], answers: tuple[str, str]) -> None:
    found = study(SQUARE, 3, effects, np.random.default_rng(1))
    assert tuple(claim.answer for claim in found) == answers
    assert [claim.claim for claim in found] == ["feature_over_pixel", "synergy"]
    for claim in found:
        assert claim.metric == METRIC and METRIC in claim.sentence
        low, high = known(claim.interval)
        assert f"95 % interval {low:+.3g} to {high:+.3g}; 3 seeds, 12 people" in claim.sentence
        assert f" {claim.estimate:+.3g} (95 %" in claim.sentence
        assert known(claim.bootstrap)[0] <= known(claim.estimate) <= known(claim.bootstrap)[1]
    difference = abs(effects["feature_space"]) - abs(effects["pixel_space"])
    assert found[0].estimate == pytest.approx(difference, abs=0.03)
    assert found[1].estimate == pytest.approx(effects["pixel_space x feature_space"], abs=0.02)
    json.dumps([asdict(claim) for claim in found], allow_nan=False)


def test_sentences_name_the_terms_and_numbers() -> None:
    found = study(
        SQUARE, 3, {"feature_space": 0.3, "pixel_space": -0.02, "pixel_space x feature_space": 0.1}, np.random.default_rng(2)
    )
    assert found[0].sentence.startswith("Yes, feature-space terms matter more: identity_kept changes by +0.3")
    assert " with the feature-space terms (perceptual, identity) and by -0.0" in found[0].sentence
    assert (
        " with the pixel-space terms (pixel, self_consistency, triple_consistency) on against off, a difference in size of +0.2"
        in found[0].sentence
    )
    assert found[1].sentence.startswith("Yes, each group does more for identity where the other is on: ")


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
        design, 2, {**effects, "perceptual x identity": 0.3, "pixel x consistency": 0.2}, np.random.default_rng(3), noise=0.001
    )
    assert [claim.answer for claim in found] == ["yes", "yes"]
    assert found[0].feature_effect == pytest.approx(0.2, abs=0.005)
    assert found[0].pixel_effect == pytest.approx(0, abs=0.005)
    assert found[1].estimate == pytest.approx(0.06, abs=0.005)


@pytest.mark.parametrize("name", ["figure2", "loo"])
def test_leave_one_out_designs_answer_the_first_claim_only(name: str) -> None:
    design = choose_design(name, Config())
    effects = {factor.name: 0.02 for factor in design.factors}
    effects |= {f.name: 0.3 for f in design.factors if f.name in ("feature_space", "perceptual", "identity")}
    found = study(design, 3, effects, np.random.default_rng(4))
    assert found[0].answer == "yes"
    assert "in the full loss (by leaving out, one factor after the other, added up)" in found[0].sentence
    assert found[1].answer == NOT_ESTIMABLE and found[1].interval is None
    assert "no arm with both groups off" in found[1].sentence


def test_add_one_designs_state_their_assumption() -> None:
    design = choose_design("add-one", Config(), factors=("pixel", "consistency", "feature_space"))
    found = study(design, 3, {"feature_space": 0.3, "pixel": 0.02}, np.random.default_rng(5))
    assert found[0].answer == "yes" and "(if the terms do not interact)" in found[0].sentence
    assert found[1].answer == NOT_ESTIMABLE and "interactions cannot be separated" in found[1].sentence


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
    found = study(design, 2, {"identity": 0.3, "pixel x identity": 0.2}, np.random.default_rng(8))
    assert [claim.answer for claim in found] == ["yes", "yes"]


@pytest.mark.parametrize(("seeds", "absent"), [(1, ()), (1, (0, 1, 2)), (2, (0, 1, 4, 5)), (3, range(12))])
def test_too_few_runs_give_no_answer(seeds: int, absent: Sequence[int]) -> None:
    effects = {"feature_space": 0.3, "pixel_space": 0.0, "pixel_space x feature_space": 0.1}
    found = study(SQUARE, seeds, effects, np.random.default_rng(9), absent=absent)
    assert [claim.answer for claim in found] == [TOO_FEW, TOO_FEW]
    assert all(claim.sentence.startswith("Too few runs") and claim.interval is None for claim in found)
    assert all(claim.sentence.lower().count("too few runs") == 1 for claim in found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pixel", "feature", "pair"), [(0.0, 0.0, 0.0), (0.02, 0.02, 0.0), (0.05, -0.05, 0.02), (0.0, 0.03, -0.03)]
)
def test_intervals_of_claims_cover_planted_values(pixel: float, feature: float, pair: float) -> None:
    """500 simulated studies of a 2 x 2 design with three seeds."""
    truths = (abs(feature) - abs(pixel), pair)
    effects = {"feature_space": feature, "pixel_space": pixel, "pixel_space x feature_space": pair}
    covered = np.zeros((500, 2))
    for i in range(500):
        found = study(SQUARE, 3, effects, np.random.default_rng([i, 3]))
        covered[i] = [known(c.interval)[0] <= truth <= known(c.interval)[1] for c, truth in zip(found, truths, strict=True)]
    print(f"\ncoverage of claims, pixel {pixel}, feature {feature}, pair {pair}: {covered.mean(axis=0)}")
    assert (covered.mean(axis=0) >= 0.93).all()
