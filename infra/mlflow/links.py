"""Print the link to each study in an SQLite database of MLflow: its arms' scores and curves. `make mlflow` calls it.

python -m infra.mlflow.links --studies studies
"""

import socket
from dataclasses import dataclass
from pathlib import Path

from cluster.cli.command_line import run_job
from facegan.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Links:
    """Arguments."""

    studies: Path = Path("studies")
    """Folder of studies, with mlflow.db."""
    port: int = 5000
    """Where `make mlflow` serves."""


def main(args: Links) -> None:
    """Print a line for each study, the newest last. Raises UserError if there is no database, or the port is taken."""
    database = args.studies.resolve() / "mlflow.db"
    if not database.exists():
        raise UserError(f"no {database}: run a study first, or name the folder of your studies: make mlflow STUDIES=...")
    _check_free(args.port)
    from mlflow import MlflowClient  # takes seconds to import

    from cluster.tracking.study_view import links_to_views

    uri = f"sqlite:///{database}"
    for name, link in links_to_views(MlflowClient(uri), uri):
        print(f"{name}\n    {link}", flush=True)


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that has just ended holds no port
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise UserError(
                f"port {port} of 127.0.0.1 is in use: open http://127.0.0.1:{port} if it is MLflow, or end what uses it"
            ) from None


if __name__ == "__main__":
    run_job(main, Links, __doc__)
