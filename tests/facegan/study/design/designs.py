"""Designs and plans for tests."""

from collections.abc import Sequence

from facegan.config import Config
from facegan.study.design.arms import Arm, Design, choose_design
from facegan.study.design.plan import Plan, make_plan
from tests.planning import PLANNED_DATA

GROUPS = ("pixel_space", "feature_space")


def design(name: str, *factors: str, config: Config | None = None, size: str = "", names: Sequence[str] = ()) -> Design:
    return choose_design(name, config or Config(), factors=factors, size=size, names=names)


def active_terms(arm: Arm) -> set[str]:
    return set(arm.apply(Config()).loss.active())


def plan_of(config: Config, found: Design, seeds: Sequence[int]) -> Plan:
    return make_plan(
        config,
        found.arms,
        design=found.name,
        preset="demo",
        seeds=seeds,
        data=PLANNED_DATA,
        commit="c",
        factors=found.factors,
    )


def figure2_plan(config: Config, **changes: object) -> Plan:
    """A plan of the four arms of Figure 2 in two seeds."""
    given = {
        "design": "figure2",
        "preset": "demo",
        "seeds": (0, 1),
        "data": PLANNED_DATA,
        "commit": "c",
    } | changes
    return make_plan(config, choose_design("figure2", Config()).arms, **given)  # type: ignore[arg-type]
