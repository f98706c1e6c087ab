"""Results of Ray tasks, also of streaming ones that yield several."""

from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import RayTaskError

from cluster.runtime.waiting import EXPLAIN_EVERY_SECONDS, print_why_waiting
from facegan.errors import UserError


def first_ready(running: Sequence[Any], needs: Mapping[str, float]) -> Any:
    """Return the first task that has a result; meanwhile print why none can start, if the cluster has no room."""
    while True:
        ready, _ = ray.wait(list(running), num_returns=1, timeout=EXPLAIN_EVERY_SECONDS)
        if ready:
            return ready[0]
        print_why_waiting(needs)


def next_of(task: Any) -> Any:
    """Return the next result of a streaming task; None at its end. A UserError is raised as it was in the task."""
    try:
        return result_of(next(task))
    except StopIteration:
        return None


def result_of(reference: Any) -> Any:
    """Return the result of a task. A UserError is raised as it was in the task."""
    try:
        return ray.get(reference)
    except RayTaskError as error:
        # Ray wraps exceptions into a traceback; a UserError is one line.
        if isinstance(error.cause, UserError):
            raise UserError(str(error.cause)) from None
        raise
