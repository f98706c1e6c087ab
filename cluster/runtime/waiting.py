"""A word on what a job waits for, when the cluster does not begin what it was given."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import ray

PATIENCE_SECONDS = 45.0
"""From here on it is said what is waited for, and again each time as long: within a minute with what Ray itself takes."""


def why_waiting(needs: Mapping[str, float]) -> str | None:
    """Why nothing that takes these resources ({"CPU": 1, "GPU": 0.5}) can begin now; None where some node could take it."""
    needs = {name: amount for name, amount in needs.items() if amount}
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    wanted = _said(needs)
    if not any(all(node.get(name, 0) >= amount for name, amount in needs.items()) for node in nodes):
        each = "; ".join(_said({name: node.get(name, 0) for name in ("CPU", "GPU")}) for node in nodes)
        return f"no node has {wanted} (nodes: {each}); it begins when one that has comes: `ray status` says if one is under way"
    free = ray.available_resources()
    taken = {name: free.get(name, 0) for name, amount in needs.items() if free.get(name, 0) < amount}
    if taken:
        return f"{wanted} are needed and {_said(taken)} are free: what runs now holds the rest (`ray job list`, `ray status`)"
    return None


@contextmanager
def explain_waiting(begun: Callable[[], bool], needs: Mapping[str, float]) -> Iterator[None]:
    """While the body runs and nothing has begun, say now and then why."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(PATIENCE_SECONDS) and not begun():
            say_why(needs)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def say_why(needs: Mapping[str, float]) -> None:
    """Print it, if there is a reason."""
    reason = why_waiting(needs)
    if reason:
        print(f"waiting  {reason}", flush=True)


def _said(resources: Mapping[str, float]) -> str:
    return " and ".join(f"{amount:g} {name}" for name, amount in resources.items())
