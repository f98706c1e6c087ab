"""Experiment tracking: what a study sends to MLflow, behind the `Tracker` protocol.

- `tracker.py`: the protocol. A study starts a tracker, syncs it while trials run, registers its best generator and finishes.
- `reconnecting.py`: a tracker whose server may be down for a while. `server.py`: whether a server answers.
- `mlflow_tracker.py`: the implementation for MLflow. `trial_run.py`: the run of a trial. `study_view.py`: what its UI shows
  first. `model_registry.py`: the generator as a registered model. `database.py`: its database in a file.

To add a tracker, write a module with a class that implements `Tracker` and choose it in `start_tracker` below; nothing else
names MLflow. The study folder holds all results, so a tracker only reads it and can be filled again from it.

May import the tracker's own package, `facegan` and nothing else of `cluster`.
"""

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.tracking.reconnecting import ReconnectingTracker
from cluster.tracking.server import check_server
from facegan.study.design.plan import Plan

if TYPE_CHECKING:
    from cluster.tracking.tracker import Tracker

_MLFLOW = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "GIT_PYTHON_REFRESH": "quiet",
}
"""Variables of MLflow, unless the user has set them. Where there is no git, GitPython would say so in 13 lines."""


def start_tracker(plan: Plan, study: Path, location: str = "") -> "Tracker":
    """The tracker of a study in a folder, which is this machine's copy where the study's `location` is a URI.

    It makes a run for the study and one for each trial, or finds those of an earlier start at the same location.
    That happens at its first use, which raises UserError within seconds if the server does not answer, and can be repeated.
    """

    def start() -> "Tracker":
        import_tracker()
        from cluster.tracking.mlflow_tracker import MlflowTracker

        return MlflowTracker(plan, study, location or str(study.resolve()))

    return ReconnectingTracker("MLflow", start, check_server)


def import_tracker() -> None:
    """Import what a tracker needs, which takes seconds; `start_tracker` does so at the tracker's first use."""
    # MLflow reports its use to its makers, and tries for minutes to reach a server, unless it is told not to before it is
    # imported.
    for name, value in _MLFLOW.items():
        os.environ.setdefault(name, value)
    import_module("cluster.tracking.mlflow_tracker")
