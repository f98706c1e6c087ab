"""Experiment tracking: what a study sends to MLflow, behind the `Tracker` protocol.

- `tracker.py`: the protocol. A study starts a tracker, syncs it while trials run, registers its best generator and finishes.
- `server.py`: whether a tracking server answers, asked before the study starts.
- `mlflow_tracker.py`: the implementation for MLflow. `model_registry.py`: the generator as a registered model of MLflow.

To add a tracker, write a module with a class that implements `Tracker` and choose it in `start_tracker` below; nothing else
names MLflow. The study folder holds all results, so a tracker only reads it and can be filled again from it.

May import the tracker's own package, `facegan` and nothing else of `cluster`.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from facegan.study.design.plan import Plan

if TYPE_CHECKING:
    from cluster.tracking.tracker import Tracker


def start_tracker(plan: Plan, study: Path) -> "Tracker":
    """The tracker of a study, with a run for the study and one for each trial: new ones, or those of an earlier start."""
    # MLflow reports its use to its makers unless it is told not to before it is imported.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from cluster.tracking.mlflow_tracker import MlflowTracker  # MLflow takes seconds to import

    return MlflowTracker(plan, study)
