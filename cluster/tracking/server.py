"""Whether the tracking server answers, known after five seconds; MLflow itself tries for minutes."""

import os
import urllib.error
import urllib.request

from facegan.errors import UserError

_TIMEOUT_SECONDS = 5.0


def check_server() -> None:
    """Raise UserError if MLFLOW_TRACKING_URI names a server that does not answer."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri.startswith(("http://", "https://")):
        return
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=_TIMEOUT_SECONDS):
            pass
    except urllib.error.HTTPError:
        return  # it answers; what it refuses, such as credentials, MLflow says itself
    except (OSError, ValueError) as error:
        raise UserError(
            f"MLFLOW_TRACKING_URI is {uri!r}: no answer ({error}); start the server or its tunnel, or unset the variable "
            "to keep runs in an SQLite file; the same command then sends the runs"
        ) from None
