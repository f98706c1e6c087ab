"""Scorer for Ray's autoscaler: add spot workers first, and on-demand workers while AWS refuses spot.

Ray 2.60 loads it from RAY_AUTOSCALER_UTILIZATION_SCORER. Ray's own scorer does not use the launches that were refused within
the last half hour, so it would request the refused spot node again and again.
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
    """Score of a node type for the requested `resources`, greatest wins; None if the node fits none of them."""
    fit = _default_utilization_scorer(node_resources, resources, node_type, node_availability_summary=node_availability_summary)
    if fit is None:
        return None
    availability = node_availability_summary.node_availabilities.get(node_type)
    # Fit comes before price: a node without GPUs is wrong for a job that needs GPUs.
    return *fit, availability is None or availability.is_available, node_type.endswith("spot")
