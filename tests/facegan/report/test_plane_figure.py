"""The figure of the plane: every row, arm and factor is in it, at its place."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch, Rectangle

from facegan.config import Config
from facegan.report.plane_figure import plane_figure
from facegan.study.analysis.plane import ArmPoints, FactorArrow, Plane, Point
from facegan.study.design.arms import choose_design

ARMS = choose_design("figure2", Config()).arms
REFERENCES = {"source copied": Point(0, 1), "real target": Point(1, 1), "source warped": Point(0.92, 0.87)}
ARROW = FactorArrow("feature_space", Point(0.7, -0.2), (0.6, 0.8), (-0.3, -0.1))


def drawn(arrows: tuple[FactorArrow, ...]) -> Any:
    arms = tuple(ArmPoints(arm.name, (0, 1), (Point(0.1 * i, 0.5), Point(0.1 * i, 0.7))) for i, arm in enumerate(ARMS))
    plan: Any = SimpleNamespace(arms=ARMS)
    return plane_figure(plan, Plane(REFERENCES, arms, arrows))


def test_rows_and_arms_are_named_and_at_their_places() -> None:
    figure = drawn((ARROW,))
    axes = figure.axes[0]
    assert {text.get_text() for text in axes.texts} == set(REFERENCES)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [arm.label for arm in ARMS]
    marks = {(round(float(x), 3), round(float(y), 3)) for line in axes.lines for x, y in zip(*line.get_data(), strict=True)}
    assert {(0.0, 1.0), (1.0, 1.0), (0.92, 0.87)} <= marks
    for i in range(len(ARMS)):
        assert {(round(0.1 * i, 3), 0.5), (round(0.1 * i, 3), 0.7), (round(0.1 * i, 3), 0.6)} <= marks
    assert axes.get_xlim()[0] < 0 and axes.get_xlim()[1] > 1 and axes.get_ylim()[0] < 0 < 1 < axes.get_ylim()[1]


def test_a_factor_is_an_arrow_to_its_change_with_its_intervals_as_a_box() -> None:
    axes = drawn((ARROW,)).axes[1]
    (arrow,) = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    ends = np.asarray(arrow.get_path().vertices, np.float64)
    assert ends[0] == pytest.approx((0, 0))
    assert ends[:, 0].max() == pytest.approx(0.7, abs=0.05)
    (box,) = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert box.get_xy() == (0.6, -0.3)
    assert (box.get_width(), box.get_height()) == pytest.approx((0.2, 0.2))
    assert axes.get_xlim()[1] > 0.8 and axes.get_ylim()[0] < -0.3


def test_without_effects_only_the_arms_are_drawn() -> None:
    assert len(drawn(()).axes) == 1


def test_without_intervals_there_is_no_box() -> None:
    axes = drawn((FactorArrow("pixel", Point(0.1, 0.1), None, None),)).axes[1]
    assert not [patch for patch in axes.patches if isinstance(patch, Rectangle)]
