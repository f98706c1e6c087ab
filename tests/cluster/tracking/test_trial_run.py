"""What the run of a trial is sent, and that nothing is sent twice."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

from mlflow import MlflowClient
from mlflow.entities import Run

from cluster.tracking.trial_run import TrialRun
from facegan.config import Config
from facegan.study.design.arms import choose_design
from facegan.study.design.plan import make_plan
from facegan.study.folder.trial_folder import MetricsRow, TrialFolder
from tests.planning import PLANNED_DATA


def sent_after_each_row(client: Any, run: Run, folder: TrialFolder, config: Config) -> list[tuple[list[int], list[str]]]:
    """Write two rows and two samples, syncing after each: the steps and the sample files of each sync."""
    arms = choose_design("figure2", Config(), names=("full",)).arms
    plan = make_plan(config, arms, design="figure2", preset="demo", seeds=(0,), data=PLANNED_DATA, commit="")
    made = TrialRun(client, run, plan.trials[0], "Full", folder, {})
    found = []
    for images in (8, 16):
        folder.append_row(MetricsRow(images, 1.0, 1e9, {"images_per_second": 8.0}))
        folder.write_state("RUNNING", images=images, seconds=1.0, passes={})
        (folder.samples / f"{images}.png").write_bytes(b"")
        client.reset_mock()
        made.sync()
        steps = [metric.step for call in client.log_batch.call_args_list for metric in call.kwargs["metrics"]]
        found.append((steps, [Path(call.args[1]).name for call in client.log_artifact.call_args_list]))
    return found


def test_rows_and_samples_are_sent_once(tiny: Config, tmp_path: Path) -> None:
    client = create_autospec(MlflowClient, instance=True)
    client.get_metric_history.return_value, client.list_artifacts.return_value = [], []
    run: Any = SimpleNamespace(info=SimpleNamespace(run_id="one"))
    folder = TrialFolder(tmp_path / "trial")
    folder.samples.mkdir(parents=True)
    assert sent_after_each_row(client, run, folder, tiny) == [([8], ["8.png"]), ([16], ["16.png"])]
