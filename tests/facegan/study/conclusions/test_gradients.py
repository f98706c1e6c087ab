"""What gradients say: terms that agree, conflict or dominate in every seed, and nothing from one measurement."""

from pathlib import Path

from facegan.config import Config
from facegan.study.analysis.gradients import ArmGradients, LastQuarter, Spread
from facegan.study.conclusions.gradients import GradientConclusion, conclude_gradients
from facegan.study.conclusions.summary import summarise_study
from tests.facegan.study.planted_gradients import gradients_study, row

COSINES = {
    "pixel~self_consistency": Spread(-0.79, -0.84, -0.7),
    "pixel~perceptual": Spread(-0.5, -0.8, -0.29),
    "pixel~triple_consistency": Spread(-0.6, -0.7, -0.3),
    "self_consistency~triple_consistency": Spread(0.92, 0.89, 0.96),
    "self_consistency~perceptual": Spread(0.45, 0.29, 0.6),
    "triple_consistency~perceptual": Spread(0.3, 0.3, 0.31),
}
SHARES = {"pixel": Spread(0.1, 0.1, 0.1), "perceptual": Spread(0.61, 0.55, 0.66)}


def conclude(
    share: dict[str, Spread] = SHARES, cosine: dict[str, Spread] = COSINES, seeds: int = 3, measurements: int = 2
) -> GradientConclusion:
    found = LastQuarter(seeds, measurements, share, cosine)
    return conclude_gradients({"full": ArmGradients((8,), {}, {}, found)})[0]


def test_pairs_are_named_only_if_every_seed_passes_the_level() -> None:
    found = conclude()
    assert found.agree == ("self_consistency~triple_consistency", "triple_consistency~perceptual")
    assert found.conflict == ("pixel~self_consistency", "pixel~triple_consistency")
    assert found.dominant == "perceptual"
    assert found.sentence == (
        "perceptual dominates (share 61 %, 3 seeds 55 to 66 %). "
        "Agree: self consistency and triple consistency (cosine +0.92, 3 seeds +0.89 to +0.96); "
        "triple consistency and perceptual (cosine +0.30, 3 seeds +0.30 to +0.31). "
        "Conflict: pixel and self consistency (cosine -0.79, 3 seeds -0.84 to -0.70); "
        "pixel and triple consistency (cosine -0.60, 3 seeds -0.70 to -0.30). "
        "Undecided or near a right angle: 2 other pairs"
    )


def test_a_term_dominates_only_with_half_of_the_gradient_in_every_seed() -> None:
    found = conclude({"pixel": Spread(0.4, 0.3, 0.51), "perceptual": Spread(0.6, 0.49, 0.7)}, {})
    assert found.dominant == ""
    assert found.sentence == (
        "no term dominates; perceptual has the largest gradient (share 60 %, 3 seeds 49 to 70 %). "
        "No two terms agree. No two terms conflict"
    )


def test_one_seed_is_called_one() -> None:
    assert "(cosine +0.92, one seed, measurements +0.89 to +0.96)" in conclude(seeds=1).sentence


def test_one_measurement_says_nothing() -> None:
    found = conclude(measurements=1)
    assert (found.dominant, found.agree, found.conflict) == ("", (), ())
    assert found.sentence == "too few measurements to tell: 1 in the last quarter of training, 2 are needed"


def test_pairs_beyond_three_are_counted() -> None:
    agreeing = {f"pixel~{i}": Spread(0.9 - i / 100, 0.8, 1.0) for i in range(5)}
    found = conclude(cosine=agreeing)
    assert len(found.agree) == 5
    assert "pixel and 2 (cosine +0.88, 3 seeds +0.80 to +1.00); and 2 more. No two terms conflict" in found.sentence


def test_a_single_term_is_called_the_only_one() -> None:
    assert conclude({"pixel": Spread(1, 1, 1)}, {}).sentence == "pixel is the only term"


def test_the_summary_holds_a_conclusion_for_each_arm_that_was_measured(tiny: Config, tmp_path: Path) -> None:
    rows = {28: row(0.6, 0.5), 32: row(0.6, 0.5)}
    plan = gradients_study(tmp_path, tiny, {"full": [rows, rows]})
    found = summarise_study(tmp_path, plan)
    assert [c.arm for c in found.gradient_conclusions] == list(found.gradient_diagnostics) == ["full"]
    assert found.gradient_conclusions[0].agree == ("pixel~identity",)
