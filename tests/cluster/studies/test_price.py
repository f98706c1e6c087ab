"""What a plan counts of its arms before it is printed."""

import pytest

from cluster.studies.arguments import StudyArguments
from cluster.studies.price import _count, _planned
from cluster.studies.run_study import StudyRequest
from facegan.config import Config
from facegan.study.cost.estimate import arm_configs
from facegan.study.design.arms import choose_design
from facegan.training.flops import count_step


@pytest.mark.slow
def test_arms_that_are_counted_together_compute_the_same(tiny: Config) -> None:
    config = tiny.override({"loss.style": 1.0})
    design = choose_design("factorial", config, factors=("pixel", "style"))
    shared = StudyArguments(config=config, source="/not/made/yet")
    request = StudyRequest(shared=shared, design="factorial", arms=design.arms, seeds=(0,), factors=design.factors)
    planned = _planned(request)
    configs = arm_configs(planned.plan)
    assert _count(configs, planned) == {arm: count_step(config)[0] for arm, config in configs.items()}
    assert not planned.is_exact, "its data set is not made yet"
