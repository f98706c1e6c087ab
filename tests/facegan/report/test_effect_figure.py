"""The figure of effects: which effects stand out, the interactions at their places, and designs too small for it."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.lines import AxLine

from facegan.config import Config
from facegan.report.effect_figure import effect_figure, lenth_error, write_effect_figure
from facegan.study.conclusions.summary import Summary
from facegan.study.design.plan import Plan
from tests.facegan.report.factorial_study import BOTH, FEATURE, effects_of, factorial_study
from tests.known import known

FACTORS = ("pixel", "perceptual", "identity")


@pytest.fixture(scope="module")
def eight_arms(tmp_path_factory: pytest.TempPathFactory, tiny: Config) -> tuple[Path, Plan, Summary]:
    """A study of eight arms in which two factors and their interaction have effects on identity."""
    root = tmp_path_factory.mktemp("eight_arms")
    return root, *factorial_study(root, tiny, factors=FACTORS)


def test_effects_that_do_something_are_filled_named_and_right_of_the_line(eight_arms: tuple[Path, Plan, Summary]) -> None:
    _, plan, summary = eight_arms
    figure = known(effect_figure(plan, summary.effects, summary.arms))
    axes = next(a for a in figure.axes if a.get_title(loc="left").startswith("identity kept: all 7"))
    names = {text.get_text() for text in axes.texts}
    assert {"Pixel (+)", "Perceptual (+)", "Pixel \N{MULTIPLICATION SIGN} Perceptual (\N{MINUS SIGN})"} <= names
    marks = [line for line in axes.lines if line.get_marker() == "o"]
    at = {round(float(np.asarray(line.get_xdata())[0]), 2): line.get_markerfacecolor() for line in marks}
    assert at[FEATURE] != "white" and at[-BOTH] != "white" and at[0.0] == "white"
    sizes = np.sort([float(np.asarray(line.get_xdata())[0]) for line in marks])
    heights = np.sort([float(np.asarray(line.get_ydata())[0]) for line in marks])
    # The three effects that were planted lie far right of the line, the four others about it.
    errors = [known(effect.standard_error) for effect in effects_of(summary).metrics["identity_kept"].effects]
    over = sizes / (float(np.median(errors)) * heights)
    assert over[-3:].min() > 4 and over[:4].max() < 3
    (line,) = [line for line in axes.lines if isinstance(line, AxLine)]
    assert known(line.get_xy2())[0] == pytest.approx(float(np.median(errors)))


def test_an_interaction_is_drawn_from_the_mean_scores_by_levels(eight_arms: tuple[Path, Plan, Summary]) -> None:
    _, plan, summary = eight_arms
    figure = known(effect_figure(plan, summary.effects, summary.arms))
    title = "Pixel \N{MULTIPLICATION SIGN} Perceptual: \N{MINUS SIGN}0.1"
    axes = next(a for a in figure.axes if a.get_title(loc="left").startswith(title) and a.get_ylabel() == "identity kept")
    drawn = {line.get_label(): np.asarray(line.get_ydata()) for line in axes.lines}
    estimates = {effect.name: effect.estimate for effect in effects_of(summary).metrics["identity_kept"].effects}
    on, off = (float(np.diff(drawn[f"Perceptual {level}"])[0]) for level in ("on", "off"))
    assert (on + off) / 2 == pytest.approx(estimates["pixel"])
    assert (on - off) / 2 == pytest.approx(estimates["pixel x perceptual"])


@pytest.mark.slow
def test_eight_arms_have_the_figure_in_the_report_and_four_have_none(
    eight_arms: tuple[Path, Plan, Summary], tiny: Config, tmp_path: Path
) -> None:
    root, plan, summary = eight_arms
    write_effect_figure(root, plan, summary.effects, summary.arms)
    assert (root / "effects.png").exists()
    small_plan, small = factorial_study(tmp_path, tiny)
    write_effect_figure(tmp_path, small_plan, small.effects, small.arms)
    assert not (tmp_path / "effects.png").exists()
    assert effect_figure(plan, None, summary.arms) is None


def test_the_pseudo_standard_error_ignores_large_effects() -> None:
    noise = np.abs(np.random.default_rng(0).normal(size=2_000))
    assert lenth_error(noise) == pytest.approx(1, abs=0.08)
    assert lenth_error(np.append(noise[:30], [50.0] * 5)) == pytest.approx(lenth_error(noise[:30]), rel=0.5)
