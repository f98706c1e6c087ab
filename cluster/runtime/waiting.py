"""Messages that explain what a job waits for while the cluster cannot start its tasks."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import ray

from cluster.runtime.ticker import every

EXPLAIN_EVERY_SECONDS = 45.0
"""Interval of the messages. With Ray's own delay, the first one comes within a minute."""


@contextmanager
def explain_waiting(started: Callable[[], bool], needs: Mapping[str, float]) -> Iterator[None]:
    """While the block runs, print at intervals what its tasks wait for, until one has started.

    `needs` are the resources of one task, such as {"CPU": 1, "GPU": 0.5}.
    """
    has_started = False

    def explain() -> None:
        nonlocal has_started
        has_started = has_started or started()
        if not has_started:
            print_why_waiting(needs)

    with every(EXPLAIN_EVERY_SECONDS, explain):
        yield


def print_why_waiting(needs: Mapping[str, float]) -> None:
    """Print why no task with these needs can start now, if there is a reason."""
    reason = why_waiting(needs)
    if reason:
        print(f"waiting  {reason}", flush=True)


def why_waiting(needs: Mapping[str, float]) -> str | None:
    """Return why no task with these needs can start now; None if some node has room for it."""
    needs = {name: amount for name, amount in needs.items() if amount}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    wanted = _format(needs)
    if not any(all(node.get(name, 0) >= amount for name, amount in needs.items()) for node in nodes):
        each = "; ".join(_format({name: node.get(name, 0) for name in ("CPU", "GPU")}) for node in nodes)
        return (
            f"no node has {wanted} (nodes: {each}); it starts when such a node joins: `ray status` shows whether one is coming"
        )
    free = ray.available_resources()
    short = {name: free.get(name, 0) for name, amount in needs.items() if free.get(name, 0) < amount}
    if short:
        return f"{wanted} are needed and {_format(short)} are free: other work uses the rest (`ray job list`, `ray status`)"
    return None


def _format(resources: Mapping[str, float]) -> str:
    return " and ".join(f"{amount:g} {name}" for name, amount in resources.items())
