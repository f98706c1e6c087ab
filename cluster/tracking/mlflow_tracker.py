"""The tracker of MLflow: a parent run for the study and a child run for each trial, filled from the study folder."""

import getpass
import json
import logging
import os
import shlex
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.validation import MAX_TAG_VAL_LENGTH
from sqlalchemy.exc import SQLAlchemyError

from cluster.tracking.database import create_database
from cluster.tracking.model_registry import register_generator
from cluster.tracking.study_view import link_to_view, save_view
from cluster.tracking.tracker import RegisteredModel
from cluster.tracking.trial_run import TrialRun
from facegan.cache import is_remote
from facegan.clock import steady_unix_time
from facegan.errors import UserError
from facegan.study.analysis.study_status import progress_metrics, study_status
from facegan.study.conclusions.summary import Summary
from facegan.study.design.plan import Plan, Trial
from facegan.study.folder.trial_folder import trial_folder

EXPERIMENT = "facegan"
_FILE = "sqlite:///"
_PARENT = "mlflow.parentRunId"
_NAME, _USER, _SOURCE = "mlflow.runName", "mlflow.user", "mlflow.source.name"
_FILES = (
    "report.html",
    "plane.png",
    "effects.png",
    "figure2.png",
    "losses.png",
    "losses_images.png",
    "gradient_diagnostics.png",
    "contact_sheet.png",
    "plan.json",
    "summary.json",
    "manifest.json",
    "runs.parquet",
    "search.json",
    "search.png",
)


def default_uri(study: Path) -> str:
    """MLFLOW_TRACKING_URI, or the SQLite file mlflow.db next to the study folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{_FILE}{(study.resolve().parent / 'mlflow.db')}"


def how_to_open(uri: str) -> str:
    """What to type to open the UI of a tracking URI, or nothing if the URI itself opens it."""
    if uri.startswith(_FILE):
        folder = Path(uri.removeprefix(_FILE)).parent
        elsewhere = "" if folder == Path("studies").resolve() else f" STUDIES={shlex.quote(str(folder))}"
        return f"  (open it with make mlflow{elsewhere})"
    # The driver of a submitted job runs on the cluster's head, so a loopback address is the head's.
    on_head = urlsplit(uri).hostname in ("127.0.0.1", "localhost") and "RAY_ADDRESS" in os.environ
    return "  on the cluster's head (make mlflow-tunnel forwards it to the same address on your machine)" if on_head else ""


class MlflowTracker:
    """Implements `Tracker`. Only the driver of a study writes its runs."""

    name = "MLflow"

    def __init__(self, plan: Plan, study: Path, location: str) -> None:
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        # Errors of the database are raised too, and told in a line.
        logging.getLogger("mlflow.store.db").setLevel(logging.CRITICAL)
        # No progress bars and no URL per run: the study prints one location at its end.
        os.environ |= {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
        self.plan, self.study, self._studied_at = plan, study, location
        self.uri = default_uri(study)
        with _one_line_errors(self.uri):
            if self.uri.startswith(_FILE):
                create_database(Path(self.uri.removeprefix(_FILE)), self._artifacts().as_uri())
            self.client = MlflowClient(self.uri)
            mlflow.set_tracking_uri(self.uri)
            self.experiment = self._experiment()
            mlflow.set_experiment(experiment_id=self.experiment)  # models are logged there too
            self.parent = self._run(study.name, "study", plan.id(), None)
            self._children = {trial.key: self._child(trial) for trial in plan.trials}
            self._describe_parent()
            runs = f"tags.kind = 'trial'{self._of_this_study()}"
            self._view = save_view(self.client, self.experiment, plan, study.name, runs, self.parent.info.start_time)
        self._progress: dict[str, float] = {}

    @property
    def location(self) -> str:
        """The tracking URI and how to open it."""
        return self.uri + how_to_open(self.uri)

    @property
    def view(self) -> str:
        """The link to the arms' scores and curves."""
        return link_to_view(self.uri, self.experiment, self._view)

    def sync(self) -> None:
        """Send what is new in the study folder."""
        for trial in self.plan.trials:
            self._children[trial.key].sync()
        progress = progress_metrics(study_status(self.plan, self.study))
        if progress != self._progress:
            now, step = int(steady_unix_time() * 1000), int(progress["study/images"])
            metrics = [Metric(name, value, now, step) for name, value in progress.items()]
            self.client.log_batch(self.parent.info.run_id, metrics=metrics)
            self._progress = progress

    def finish(self, note: str, tags: Mapping[str, str]) -> None:
        """Send the study's files, the note and the tags, and end the parent run."""
        with _one_line_errors(self.uri):
            self.sync()
            if self.view:
                note = f"[Scores and curves of all arms]({self.view})\n\n{note}"
            for key, value in {**tags, "mlflow.note.content": _shortened(note)}.items():
                self.client.set_tag(self.parent.info.run_id, key, value)
            for name in _FILES:
                if (self.study / name).exists():
                    self.client.log_artifact(self.parent.info.run_id, str(self.study / name))
            self.client.set_terminated(self.parent.info.run_id, "FINISHED")

    def register(self, trial: Trial, summary: Summary) -> RegisteredModel:
        """Log a trial's generator as a version of the registered model."""
        with _one_line_errors(self.uri):
            uri = register_generator(self.client, self._children[trial.key].run_id, self.study, trial, summary)
            self.client.set_tag(self.parent.info.run_id, "best_generator", uri)
        return RegisteredModel(uri, "load it with mlflow.pyfunc.load_model")

    def _experiment(self) -> str:
        found = self.client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return str(found.experiment_id)
        location = self._artifacts().as_uri() if self.uri.startswith(_FILE) else None
        # With this kind the UI opens on training runs instead of chat traces.
        kind = {"mlflow.experimentKind": "custom_model_development"}
        return str(self.client.create_experiment(EXPERIMENT, artifact_location=location, tags=kind))

    def _artifacts(self) -> Path:
        """The folder of artifacts of a database that is a file."""
        return self.study.resolve().parent / "mlartifacts"

    def _run(self, name: str, kind: str, key: str, parent: str | None) -> Run:
        """The run with this key, created if there is none, so that a restarted trial continues its run."""
        of_study = self._of_this_study()
        found = self.client.search_runs([self.experiment], f"tags.kind = '{kind}' and tags.key = '{key}'{of_study}")
        if found:
            run = found[0]
            self.client.update_run(run.info.run_id, "RUNNING")
        else:
            tags = {_NAME: name, _USER: _user(), _SOURCE: Path(sys.argv[0]).name, "kind": kind, "key": key}
            tags |= {"study": self.plan.id(), "location": self._place()} | ({_PARENT: parent} if parent else {})
            run = self.client.create_run(self.experiment, tags=tags)
        if not (run.inputs and run.inputs.dataset_inputs):
            self.client.log_inputs(run.info.run_id, [DatasetInput(_dataset(self.plan))])
        return run

    def _of_this_study(self) -> str:
        return f" and tags.study = '{self.plan.id()}' and tags.location = '{self._place()}'"

    def _place(self) -> str:
        return self._studied_at.replace("'", "")  # MLflow's filters have no escape for it

    def _child(self, trial: Trial) -> TrialRun:
        label = next(arm.label for arm in self.plan.arms if arm.name == trial.arm)
        name = f"{label} seed {trial.seed}" + (f" candidate {trial.candidate}" if trial.candidate else "")
        run = self._run(name, "trial", trial.key, self.parent.info.run_id)
        return TrialRun(self.client, run, trial, label, trial_folder(self.study, trial), _provenance(self.plan))

    def _describe_parent(self) -> None:
        params = {"design": self.plan.design, "preset": self.plan.preset, "budget": self.plan.budget.kind}
        # Tags, because MLflow refuses to change a parameter, and a study can grow by seeds.
        grows = {"trials": str(len(self.plan.trials)), "seeds": " ".join(map(str, self.plan.seeds))}
        self.client.log_batch(
            self.parent.info.run_id,
            params=[Param(k, v) for k, v in params.items()],
            tags=[RunTag(k, v) for k, v in (_provenance(self.plan) | grows).items()],
        )


@contextmanager
def _one_line_errors(uri: str) -> Iterator[None]:
    """Errors of MLflow, of its database and of its store of files as a UserError.

    The study itself is complete or continues without them.
    """
    try:
        yield
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)[:200]
        of_file = isinstance(error, SQLAlchemyError | sqlite3.Error) and uri.startswith(_FILE)
        cure = "if it stays so, move the file away" if of_file else "correct it"
        after = "sends all runs of the study to a new one" if of_file else "continues the study"
        raise UserError(f"MLflow at {uri!r}: {reason}; {cure} and run the same command again, which {after}") from None


def _user() -> str:
    """The user's name, or the number where the machine has no name for it, as in a container that runs as another user."""
    try:
        return getpass.getuser()
    except KeyError:
        return str(os.getuid())


def _dataset(plan: Plan) -> Dataset:
    """The entry of MLflow's data set column."""
    kind = "rendered" if plan.data.synthetic else "real"
    uri = plan.data.uri
    where = json.dumps({"uri": uri})
    name = f"{kind} faces, {plan.base.data.size} px"
    return Dataset(name, plan.data.sha256[:12], uri.partition("://")[0] if is_remote(uri) else "local", where)


def _provenance(plan: Plan) -> dict[str, str]:
    return {
        "data": plan.data.uri,
        "data_sha256": plan.data.sha256,
        "synthetic": str(plan.data.synthetic).lower(),
        "vgg": plan.vgg,
        "commit": plan.commit,
        "code": plan.code,
    }


def _shortened(note: str) -> str:
    """The first lines of a note of several lines, as many as MLflow keeps of a tag, and where the others are."""
    if len(note) <= MAX_TAG_VAL_LENGTH:
        return note
    ending = "\n\nThe rest is in the files under Artifacts."
    return note[: MAX_TAG_VAL_LENGTH - len(ending) + 1].rpartition("\n")[0] + ending
