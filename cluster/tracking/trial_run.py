"""The run of one trial in MLflow, filled from the trial's folder."""

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.utils.validation import MAX_METRICS_PER_BATCH

from cluster.tracking.study_view import ARM
from facegan.metric_names import GRADIENT_DIAGNOSTICS
from facegan.metrics.table import METRICS
from facegan.study.design.plan import Trial
from facegan.study.folder.trial_folder import FINAL, MetricsRow, TrialFolder

_STATUS = {"COMPLETED": "FINISHED", "STOPPED": "KILLED", "DIVERGED": "FAILED", "FAILED": "FAILED"}
_NOT_SENT = (*GRADIENT_DIAGNOSTICS, "learning_rate/", "validation/image_distance")
"""Prefixes of metrics that stay in the study folder, because many keys make MLflow's UI slow. The report plots them."""


class TrialRun:
    """The run of one trial. `label` is its arm's."""

    def __init__(
        self, client: MlflowClient, run: Run, trial: Trial, label: str, folder: TrialFolder, provenance: dict[str, str]
    ) -> None:
        self.client, self.run_id, self.folder = client, run.info.run_id, folder
        self.closed = False
        self.images_sent = self._last_step()
        self.samples_sent = {a.path: a.file_size for a in client.list_artifacts(self.run_id, "samples")}
        params = [Param(name, str(value)) for name, value in trial.config.flat().items()]
        tags = [RunTag(k, v) for k, v in (provenance | {"arm": trial.arm, ARM: label}).items()]
        client.log_batch(self.run_id, params=params, tags=tags)
        client.log_dict(self.run_id, trial.config.to_dict(), "config.json")

    def _last_step(self) -> int:
        history = self.client.get_metric_history(self.run_id, "images_per_second")
        return max((m.step for m in history), default=0)

    def sync(self) -> None:
        if self.closed:
            return
        # Read the state before the rows: no row follows a final state, so none is missed.
        state = self.folder.state().state
        self._send_rows()
        self._send_samples()
        if state in FINAL or state == "FAILED":
            self._close(state)

    def _send_rows(self) -> None:
        rows = [row for row in self.folder.rows() if row.images > self.images_sent]
        # Whole rows, because a row that MLflow has in part counts as sent after a restart.
        together = max(1, MAX_METRICS_PER_BATCH // max((len(row.metrics) for row in rows), default=1))
        for start in range(0, len(rows), together):
            batch = rows[start : start + together]
            self.client.log_batch(self.run_id, metrics=[metric for row in batch for metric in _metrics(row)])
            self.images_sent = batch[-1].images

    def _send_samples(self) -> None:
        for path in sorted(self.folder.samples.glob("*.png")):
            name, size = f"samples/{path.name}", path.stat().st_size
            if self.samples_sent.get(name) != size:  # another size: a process that was killed had copied a part
                self.client.log_artifact(self.run_id, str(path), "samples")
                self.samples_sent[name] = size

    def _close(self, state: str) -> None:
        scores = self.folder.scores() or {}
        values = {
            f"score/{name}": found.mean for name, found in scores.items() if METRICS[name].tracked and found.mean is not None
        }
        found = self.folder.state()
        now = int(self.folder.path.joinpath("state.json").stat().st_mtime * 1000)
        metrics = [Metric(name, value, now, found.images) for name, value in values.items()]
        tags = [RunTag("state", state)] + ([RunTag("error", found.error)] if found.error else [])
        self.client.log_batch(self.run_id, metrics=metrics, tags=tags)
        self.client.set_terminated(self.run_id, _STATUS[state])
        self.closed = True


def _metrics(row: MetricsRow) -> list[Metric]:
    names = [name for name in row.metrics if not name.startswith(_NOT_SENT)]
    return [Metric(name, row.metrics[name], int(row.time * 1000), row.images) for name in names]
