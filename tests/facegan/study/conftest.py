"""Plans with equal compute and with equal seconds."""

import pytest

from facegan.config import Config
from facegan.study.design.budget import choose_budget
from facegan.study.design.plan import Plan
from tests.facegan.study.budgets import ARMS, budget_plan


@pytest.fixture(scope="module")
def flops_plan(tiny: Config) -> Plan:
    return budget_plan(tiny, choose_budget("flops", None, tiny, ARMS))


@pytest.fixture(scope="module")
def seconds_plan(tiny: Config) -> Plan:
    return budget_plan(tiny, choose_budget("seconds", 2.5, tiny, ARMS))
