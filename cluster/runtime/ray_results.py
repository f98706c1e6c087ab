"""What Ray tasks say, streaming ones one thing at a time."""

from collections.abc import Mapping, Sequence
from typing import Any

import ray
from ray.exceptions import RayTaskError

from cluster.runtime.waiting import PATIENCE_SECONDS, say_why
from facegan.errors import UserError


def first_ready(running: Sequence[Any], needs: Mapping[str, float]) -> Any:
    """The next task that has something to say; while none has, the reason where the cluster cannot begin any is printed."""
    while True:
        ready, _ = ray.wait(list(running), num_returns=1, timeout=PATIENCE_SECONDS)
        if ready:
            return ready[0]
        say_why(needs)


def next_of(task: Any) -> Any:
    """What a task says next; None when it has ended. A user's mistake comes as it was raised there."""
    try:
        return answer_of(next(task))
    except StopIteration:
        return None


def answer_of(reference: Any) -> Any:
    """What a task returned; a user's mistake comes as it was raised there."""
    try:
        return ray.get(reference)
    except RayTaskError as error:
        # What a task says of a user's mistake is one line; Ray would wrap it into a trace.
        if isinstance(error.cause, UserError):
            raise UserError(str(error.cause)) from None
        raise
