"""Which kind of node Ray's autoscaler adds: spot first, on demand while AWS refuses spot.

Ray 2.60 has the hook (RAY_AUTOSCALER_UTILIZATION_SCORER) and knows what was refused within the last half hour, but its own
scorer does not look at that: it would ask for the same spot node again and again.
"""

from typing import Any

from ray.autoscaler._private.node_provider_availability_tracker import NodeAvailabilitySummary
from ray.autoscaler._private.resource_demand_scheduler import _default_utilization_scorer

Resources = dict[str, float]


def score(
    node_resources: Resources,
    resources: list[Resources],
    node_type: str,
    *,
    node_availability_summary: NodeAvailabilitySummary,
) -> tuple[Any, ...] | None:
    """The greatest wins; None where the node fits nothing that is asked for."""
    fit = _default_utilization_scorer(node_resources, resources, node_type, node_availability_summary=node_availability_summary)
    if fit is None:
        return None
    refused = node_availability_summary.node_availabilities.get(node_type)
    # A node without GPUs would still be wrong for a job with GPUs, so how well it fits comes before the price.
    return *fit, refused is None or refused.is_available, node_type.endswith("spot")
