"""Prices: those of the nodes that infra/cluster.yaml starts, and what interruptions add."""

from pathlib import Path

import pytest
import yaml

from facegan.study.cost.estimate import priced_nodes
from facegan.study.cost.prices import HEAD_USD_PER_HOUR, NODES, price_of_gpu, share_lost

CLUSTER = Path(__file__).parents[4] / "infra" / "cluster.yaml"


def test_each_worker_of_the_cluster_has_a_price() -> None:
    types = yaml.safe_load(CLUSTER.read_text())["available_node_types"]
    head = types.pop("head")
    assert head["node_config"]["InstanceType"] == "m7i.large"
    assert set(types) == {node.name for node in NODES}
    for node in NODES:
        there = types[node.name]
        config = there["node_config"]
        assert config["InstanceType"] == node.instance
        assert there["resources"] == {"CPU": node.cpus, "GPU": node.gpus}
        assert there["max_workers"] == node.most
        assert ("InstanceMarketOptions" in config) == node.spot
        assert 0 < HEAD_USD_PER_HOUR < node.usd_per_hour


def test_the_price_of_a_gpu_is_on_demand_where_that_is_known() -> None:
    prices = {node.name: node for node in NODES}
    assert price_of_gpu("L4") == price_of_gpu("NVIDIA L4") == prices["gpu_on_demand"]
    assert price_of_gpu("A10G") == prices["gpu_a10g_spot"]
    assert price_of_gpu("cpu") is price_of_gpu("NVIDIA L40S") is price_of_gpu("") is None


def test_an_interruption_costs_half_a_checkpoint_and_the_restart() -> None:
    assert share_lost(1200.0, 0.5) == pytest.approx(0.5 * (600 + 600) / 3600)
    assert share_lost(1200.0, 0.0) == 0


def test_nodes_are_as_many_as_the_trials_need() -> None:
    spot, _, on_demand = priced_nodes(1, 1.0, None, 96)
    assert (spot.nodes, spot.at_once, on_demand.nodes) == (4, 4, 2)
    spot, *_ = priced_nodes(1, 1.0, None, 3)
    assert (spot.nodes, spot.at_once) == (3, 3)
    shared, *_ = priced_nodes(1, 1.0, 0.25, 96)
    assert shared.at_once == 16
    # Eight CPUs are room for two trials of four.
    few, *_ = priced_nodes(1, 4.0, 0.25, 96)
    assert few.at_once == 8
    assert spot.usd_per_hour == pytest.approx(HEAD_USD_PER_HOUR + 3 * NODES[0].usd_per_hour)
