"""What a streaming Ray task says, one thing at a time."""

from typing import Any

import ray
from ray.exceptions import RayTaskError

from facegan.config import UserError


def next_of(task: Any) -> Any:
    """What a task says next; None when it has ended. A user's mistake comes as it was raised there."""
    try:
        return ray.get(next(task))
    except StopIteration:
        return None
    except RayTaskError as error:
        # What a task says of a user's mistake is one line; Ray would wrap it into a trace.
        if isinstance(error.cause, UserError):
            raise UserError(str(error.cause)) from None
        raise
