"""The claims about following the target: the direction, what is said beside it, and designs that cannot answer."""

import re

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
from facegan.study.design.two_level import column_value

SQUARE = choose_design("factorial", Config(), factors=("pixel_space", "feature_space"))
FIGURE2 = choose_design("figure2", Config())


def answers(
    design: Design, seeds: int, following: dict[str, float], kept: dict[str, float], noise: float = 0.01, random: int = 5
) -> dict[str, ClaimConclusion]:
    """The claims by name, from planted effects on both coordinates; the other headlines have no scores yet."""
    rng = np.random.default_rng(random)
    runs: dict[str, list[Run]] = {metric: [] for metric in METRICS}
    for seed in range(seeds):
        for arm in design.arms:
            for metric in METRICS:
                effects = {"target_following": following, "identity_kept": kept}.get(metric)
                clips: dict[str, float | None] = {}
                if effects is not None:
                    sizes = [size * column_value(arm.levels, tuple(name.split(" x "))) / 2 for name, size in effects.items()]
                    mean = 0.5 + sum(sizes) + rng.normal(0, noise)
                    clips = {f"c{c}": float(mean + rng.normal(0, noise)) for c in range(12)}
                runs[metric].append(Run(arm.name, seed, arm.levels, "COMPLETED" if clips else "PENDING", clips))
    planned, analysis = [arm.levels for arm in design.arms], default_analysis()
    examined = examine_claims(design.name, design.factors, runs, planned, analysis, look_of(analysis, runs))
    found = conclude_claims(examined, analyse_study(runs, planned, analysis, p_values_of(examined)))
    return {claim.claim: claim for claim in found}


@pytest.mark.parametrize(
    ("feature", "pixel", "expected"),
    [
        (0.5, -0.4, ("yes", "yes")),
        (-0.5, 0.4, ("no", "no")),
        (0.5, 0.0, ("yes", "equivalent")),
        (0.0, -0.4, ("equivalent", "yes")),
        (0.1, -0.1, (UNDECIDED, UNDECIDED)),
    ],
)
def test_a_yes_needs_an_effect_in_the_direction_of_the_claim(feature: float, pixel: float, expected: tuple[str, str]) -> None:
    noise = 0.12 if UNDECIDED in expected else 0.005
    found = answers(
        SQUARE, 5, {"feature_space": feature, "pixel_space": pixel}, {"feature_space": -0.2, "pixel_space": 0.1}, noise
    )
    assert (found["feature_following"].answer, found["pixel_copying"].answer) == expected


def test_the_sentence_has_the_direction_the_terms_and_the_change_of_identity() -> None:
    found = answers(SQUARE, 5, {"feature_space": 0.5, "pixel_space": -0.4}, {"feature_space": -0.2, "pixel_space": 0.1})
    helping, pulling = found["feature_following"].sentence, found["pixel_copying"].sentence
    assert helping.startswith("Yes, feature-space terms help the generator follow the target: with the feature-space terms ")
    assert "(perceptual, identity) on against off, target following changes by +0." in helping
    assert "Identity kept changes by -0." in helping and "5 seeds, 12 people" in helping
    assert pulling.startswith("Yes, pixel-space terms pull the generator towards copying the source: ")
    assert "Identity kept changes by +0." in pulling and "target following changes by -0." in pulling


def test_figure_2_answers_for_the_group_that_it_leaves_out_whole() -> None:
    found = answers(FIGURE2, 3, {"feature_space": 0.7, "pixel": 0.0}, {"feature_space": -0.2})
    assert found["feature_following"].answer == "yes"
    assert "on against off in the full loss" in found["feature_following"].sentence
    assert found["pixel_copying"].answer == NOT_ESTIMABLE
    assert "never switches all pixel-space terms together (consistency and pixel one by one)" in found["pixel_copying"].sentence


@pytest.mark.parametrize("seeds", [1])
def test_one_seed_decides_nothing(seeds: int) -> None:
    found = answers(SQUARE, seeds, {"feature_space": 0.7, "pixel_space": -0.5}, {})
    assert {claim.answer for claim in found.values()} == {TOO_FEW}


def test_the_claims_on_identity_say_what_happened_to_following() -> None:
    found = answers(SQUARE, 5, {"feature_space": 0.5, "pixel_space": -0.4}, {"feature_space": -0.3, "pixel_space": 0.1})
    sentence = found["feature_over_pixel"].sentence
    assert "identity kept changes by -0." in sentence and "(target following by +0." in sentence
    assert "(target following by -0." in sentence


EIGHT = choose_design("factorial", Config(), factors=("consistency", "pixel", "feature_space"))


def test_a_group_whose_parts_oppose_each_other_says_so() -> None:
    effects = {"consistency": -0.3, "pixel": 0.35, "feature_space": 0.4}
    found = answers(EIGHT, 5, effects, {"pixel": -0.2})["pixel_copying"]
    assert re.search(r" Its parts have opposite effects \(consistency -0.3\S*, -\S+ to -\S+; pixel \+0.3", found.sentence)
    alike = answers(EIGHT, 5, effects | {"pixel": -0.3}, {"pixel": -0.2})["pixel_copying"]
    assert "opposite" not in alike.sentence
    assert "opposite" not in answers(SQUARE, 5, {"feature_space": 0.5}, {})["pixel_copying"].sentence


@pytest.mark.parametrize("seed", range(6))
def test_parts_whose_signs_are_noise_are_not_called_opposite(seed: int) -> None:
    found = answers(EIGHT, 5, {"feature_space": 0.4}, {"pixel": -0.2}, noise=0.05, random=seed)["pixel_copying"]
    assert "opposite" not in found.sentence


def test_what_a_group_does_where_the_other_is_on_counts_the_interaction_of_three() -> None:
    """Main effects and pairs alone would say that feature-space terms help by 0.25 there; they hurt by 0.05."""
    names = ("consistency", "pixel", "feature_space")
    kept = {**dict.fromkeys(names, 0.05), "consistency x feature_space": 0.1, "pixel x feature_space": 0.1}
    found = answers(EIGHT, 5, {}, kept | {" x ".join(names): -0.3}, noise=0.005)["synergy"]
    assert found.answer == "no" and re.search(r"feature-space terms change it by -0.0[45]", found.sentence)
    assert "no three factors" not in found.sentence
