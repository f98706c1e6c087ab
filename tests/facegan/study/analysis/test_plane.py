"""The plane of a study: its corners, the runs of each arm, and the arrows of the factors."""

import numpy as np
import pytest

from facegan.config import Config
from facegan.metrics.card import Card, summarise
from facegan.metrics.table import METRICS
from facegan.study.analysis.effects import analyse_study
from facegan.study.analysis.plane import FOLLOWING, KEPT, Point, make_plane
from facegan.study.analysis.runs import Run
from facegan.study.design.analysis_plan import default_analysis
from facegan.study.design.arms import choose_design

FIGURE2 = choose_design("figure2", Config())
PLACES = {"no_consistency": (0.94, 0.55), "no_pixel": (0.9, 0.6), "no_feature": (0.05, 0.95), "full": (0.88, 0.62)}


def runs(seeds: int = 3, unscored: str = "") -> dict[str, list[Run]]:
    """Planted runs; those of the arm `unscored` have no scores."""
    found: dict[str, list[Run]] = {metric: [] for metric in METRICS}
    for seed in range(seeds):
        for arm in FIGURE2.arms:
            for metric in METRICS:
                place = dict(zip((FOLLOWING, KEPT), PLACES[arm.name], strict=True)).get(metric)
                clips: dict[str, float | None] = {}
                if place is not None and arm.name != unscored:
                    clips = {f"c{c}": place + 0.01 * (seed - 1) + 0.02 * (c - 1.5) for c in range(4)}
                found[metric].append(Run(arm.name, seed, arm.levels, "COMPLETED", clips))
    return found


def corner(following: float, kept: float) -> Card:
    return summarise({FOLLOWING: np.full(4, following), KEPT: np.full(4, kept)}, ["a", "b", "c", "d"])


def test_arms_are_the_means_of_their_runs_and_rows_are_corners() -> None:
    planted = runs()
    plane = make_plane(planted, {"source copied": corner(0, 1), "real target": corner(1, 1)}, None)
    assert plane is not None and plane.arrows == ()
    assert plane.references == {"source copied": Point(0, 1), "real target": Point(1, 1)}
    for arm in plane.arms:
        assert arm.seeds == (0, 1, 2)
        assert (arm.mean.following, arm.mean.kept) == pytest.approx(PLACES[arm.arm])
        assert arm.points[2].following - arm.points[0].following == pytest.approx(0.02)


def test_an_arrow_is_what_a_factor_changes_in_both_with_both_intervals() -> None:
    planted = runs()
    effects = analyse_study(planted, [arm.levels for arm in FIGURE2.arms], default_analysis(), {})
    plane = make_plane(planted, {}, effects)
    assert plane is not None
    arrows = {arrow.factor: arrow for arrow in plane.arrows}
    assert list(arrows) == ["consistency", "pixel", "feature_space"]
    change = arrows["feature_space"].change
    assert (change.following, change.kept) == pytest.approx((0.88 - 0.05, 0.62 - 0.95))
    for metric, interval in ((FOLLOWING, arrows["pixel"].following_interval), (KEPT, arrows["pixel"].kept_interval)):
        assert interval == next(e.interval for e in effects.metrics[metric].effects if e.name.startswith("pixel"))


def test_arms_without_scores_and_rows_without_a_coordinate_are_left_out() -> None:
    no_identity = summarise({FOLLOWING: np.ones(4)}, ["a", "b", "c", "d"])
    plane = make_plane(runs(unscored="no_pixel"), {"real target": no_identity}, None)
    assert plane is not None and plane.references == {}
    assert [arm.arm for arm in plane.arms] == ["no_consistency", "no_feature", "full"]
    assert make_plane({FOLLOWING: [], KEPT: []}, {}, None) is None
