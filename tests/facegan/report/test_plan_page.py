"""The page of a plan: at most 40 lines, with what is unknown said to be unknown."""

from dataclasses import replace

import pytest

from facegan.config import Config
from facegan.presets import preset
from facegan.report.plan_page import plan_page, total_line
from facegan.report.power_text import power_table
from facegan.study.conclusions.planned_power import SEEDS, power_of_design
from facegan.study.cost.estimate import Cluster, arm_configs, estimate_cost, priced_nodes
from facegan.study.cost.rates import FixedSeconds, Rates
from facegan.study.cost.schedule import whole_runs
from facegan.study.design.analysis_plan import default_analysis
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import Plan, make_plan
from facegan.study.search.expectation import expected_work
from tests.facegan.study.search.planted_search import candidates_plan
from tests.planning import PLANNED_DATA

HERE = Cluster("this machine", 2, 1, 0.5, device="cpu")
FIXED = FixedSeconds(0.0, 0.0, 0.0, 0.0, "by hand")


def planned(config: Config, design: str, seeds: tuple[int, ...] = (0, 1, 2)) -> Plan:
    chosen = choose_design(design, config)
    config = config.override({"vgg.weights": "random"})
    return make_plan(config, chosen.arms, design=design, preset="poster", seeds=seeds, data=PLANNED_DATA, commit="")


def page(plan: Plan, gflop: dict[str, float], rates: Rates | None, *notes: str) -> list[str]:
    nodes = priced_nodes(1, 1.0, None, len(plan.trials))
    found = estimate_cost(plan, plan.run_order(), gflop, rates, [HERE, *nodes], interruptions_per_hour=0.05)
    design = choose_design(plan.design, plan.base)
    power = power_table(power_of_design(design, default_analysis(), SEEDS, 12, None))
    return plan_page(plan, found, power, order_is_known=True, notes=notes)


def test_without_a_speed_hours_are_unknown_and_the_relative_cost_is_told() -> None:
    plan = planned(preset("poster"), "factorial")
    gflop = {arm: 100.0 - 2 * number for number, arm in enumerate(arm_configs(plan))}
    lines = page(plan, gflop, None, "this machine has no GPU")
    assert len(lines) <= 40 and max(map(len, lines)) <= 160
    text = "\n".join(lines)
    assert "32 arms x 3 seeds (0 1 2), 96 trials of 2,000,000 images" in text
    assert "UNKNOWN, no speed was measured or given: this machine has no GPU" in text
    assert text.count("unknown") == 4, "here and on three types of nodes"
    # 3 seeds of 2 million images at 100, 98, ... 38 GFLOP, in units of the full loss' hundred.
    hours = 3 * 2e6 * sum(gflop.values()) / 100 / 3600
    assert f"{hours:,.0f} hours of trials / R" in text


def test_a_rate_of_a_gpu_gives_hours_and_dollars_on_its_nodes_alone() -> None:
    plan = planned(preset("poster").override({"images": 360_000}), "figure2", seeds=(0,))
    rates = Rates(dict.fromkeys(arm_configs(plan), 100.0), "NVIDIA L4", "measured", FIXED)
    found = estimate_cost(plan, plan.run_order(), {}, rates, [HERE, *priced_nodes(1, 1.0, None, 4)], interruptions_per_hour=0.5)
    here, spot, a10g, on_demand = found.clusters
    assert found.trial_hours == pytest.approx(4.0)
    assert here.wall_hours is None and a10g.wall_hours is None
    # Four trials on four nodes, and in two waves on two.
    assert on_demand.wall_hours == pytest.approx(2.0)
    assert on_demand.usd == pytest.approx(2.0 * (on_demand.cluster.usd_per_hour or 0))
    lost = 0.5 * (40_000 / 100 / 2 + 600) / 3600
    assert spot.wall_hours == pytest.approx(1.0 + lost)
    assert spot.usd_of_interruptions == pytest.approx(lost * (spot.cluster.usd_per_hour or 0))


def test_a_search_has_an_expected_price_and_the_most_that_it_can_be() -> None:
    plan = candidates_plan(preset("demo"), "full", candidates=3)
    rates, one = Rates({"full": 10.0}, "cpu", "measured", FIXED), replace(HERE, at_once=1)
    expected, most = (
        estimate_cost(plan, plan.run_order(), {}, rates, [one], interruptions_per_hour=0.0, work_of=work_of)
        for work_of in (expected_work, whole_runs)
    )
    lines = plan_page(plan, expected, [], order_is_known=True, at_most=most)
    assert next(line for line in lines if line.startswith("search")).startswith("search   264 of 648 images (41%) are expected")
    columns = [line.split("  ") for line in lines if line.startswith(("  on ", "  this machine"))]
    head, row = ([cell.strip() for cell in cells if cell.strip()] for cells in columns)
    assert dict(zip(head, row, strict=True)) == {
        "on": "this machine",
        "trials at once": "1",
        "wall": "26 s",
        "$/hour": "0.50",
        "dollars": "0.00",
        "of them interruptions": "-",
        "wall at most": "1 min 5 s",
        "dollars at most": "0.01",
    }
    other = plan_page(plan, most, [], order_is_known=True)
    assert "at most" not in "\n".join(line for line in other if not line.startswith("storage"))
    over = estimate_cost(plan, [], {}, rates, [one], interruptions_per_hour=0.0)
    assert not any(line.startswith("search") for line in plan_page(plan, over, [], order_is_known=True, at_most=over))
    total = total_line([expected, most], [most, most])
    assert total == (
        "total    search and finalists on this machine: 912 images (at most 1,296), 1 min 31 s (at most 2 min 10 s), "
        "$0.01 (at most $0.02)"
    )
    unknown = estimate_cost(plan, plan.run_order(), {}, None, [HERE], interruptions_per_hour=0.0)
    assert total_line([unknown], [unknown]) == "total    search and finalists on this machine: 648 images (at most 648)"


def test_the_order_is_that_of_the_plan() -> None:
    plan = planned(preset("demo"), "figure2", seeds=(0, 1))
    (line,) = [line for line in page(plan, {}, None) if line.startswith("order")]
    first = [trial.arm for trial in plan.run_order()[:4]]
    assert line.startswith(f"order    seed 0: {' '.join(first)}; 1: ")


def test_sizes_from_an_assumed_noise_are_said_to_be_assumed() -> None:
    design = choose_design("figure2", preset("demo"))
    noise, *_ = power_table(power_of_design(design, default_analysis(), SEEDS, 12, None))
    assert noise.startswith("noise    ASSUMED ") and "so the sizes below are too; --noise_from STUDY takes" in noise


def test_a_finished_study_has_nothing_left_to_price() -> None:
    plan = planned(preset("demo"), "figure2", seeds=(0,))
    found = estimate_cost(plan, [], {}, None, [HERE], interruptions_per_hour=0.05)
    lines = plan_page(plan, found, ["power    as before"], order_is_known=True)
    assert lines[2].startswith("order    nothing left to train") and lines[3:] == ["", "power    as before"]
    assert lines[0].endswith("4 trials of 400 images") and not any("UNKNOWN" in line or "$" in line for line in lines)
