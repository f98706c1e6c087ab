"""A whole study: data, plan, trials, references, summary, figures, report and MLflow. Running it again does what is missing."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import ray

from cluster.cli.arguments import StudyArguments
from cluster.datasets.dataset import DataSet
from cluster.datasets.prepare import describe_data, prepare_data
from cluster.runtime.shared_paths import check_shared_paths
from cluster.runtime.start import start_ray
from cluster.storage.uri import StorageURI, storage_uri
from cluster.studies.outputs import conclude
from cluster.studies.progress import duration, following
from cluster.studies.study_store import StudyStore
from cluster.tracking.mlflow_tracker import Tracker
from facegan.data.manifest import manifest_key
from facegan.metrics.table import display_name
from facegan.report.score_table import study_table
from facegan.study.analysis.model_selection import best_generator
from facegan.study.conclusions.summary import Summary
from facegan.study.design.arms import Arm, Factor
from facegan.study.design.budget import Budget
from facegan.study.design.plan import Plan, make_plan
from facegan.study.folder.study_folder import PLAN
from facegan.trial import precompute_reference_embeddings

HOME = Path("studies")


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What a job asks for: the shared arguments, and which arms are trained how often."""

    shared: StudyArguments
    design: str
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    candidates: int
    factors: tuple[Factor, ...] = ()
    budget: Budget = field(default_factory=Budget)


Runner = Callable[[Plan, StudyStore, DataSet], None]
"""Runs what is missing of a plan, given where the study lies and the data set."""


def run_study(request: Request, runner: Runner) -> tuple[Path, Plan]:
    """Do all of it and say at the end where everything lies; returns the study's folder and plan."""
    started = time.monotonic()
    shared = request.shared
    if shared.study:
        StudyStore(storage_uri("--study", shared.study)).check()
    data = prepare_data(shared.source, shared.data, shared.synthetic, shared.config)
    plan = make_plan(
        shared.config,
        request.arms,
        design=request.design,
        preset=shared.preset,
        seeds=request.seeds,
        candidates=request.candidates,
        data=describe_data(data),
        commit=_commit(),
        factors=request.factors,
        budget=request.budget,
    )
    default = HOME / f"{request.design}-{shared.preset}-{plan.id()}"
    store = StudyStore(storage_uri("--study", shared.study or str(default)))
    store.open(plan)
    study = store.folder
    start_ray()
    check_shared_paths(_local_files(store, data))
    _announce(plan, store)
    evaluation_set = ray.remote(num_cpus=1)(precompute_reference_embeddings).remote(store, data)
    tracker = Tracker(plan, study)

    def look() -> None:
        store.pull()
        tracker.sync()

    with following(plan, study, look):
        runner(plan, store, data)
    ray.get(evaluation_set)
    store.pull()
    store.fetch_shown_checkpoints()
    summary = conclude(plan, study, data.open(), include_faces=shared.include_faces)
    store.push()
    model = _register_best(plan, store, tracker, summary)
    tracker.finish(_note(summary), {claim.claim: claim.answer for claim in summary.claims})
    _say_results(summary, store, tracker.uri, model, time.monotonic() - started)
    _end_badly_where_trials_failed(summary)
    return study, plan


def _local_files(store: StudyStore, data: DataSet) -> dict[str, Path]:
    """A file of each place that is a folder, by the flag that names it."""
    files = {} if store.place.is_s3 else {"--study": store.folder / PLAN}
    return files if (at := StorageURI(data.uri)).is_s3 else files | {"--data": at.folder / manifest_key(data.version)}


def _note(summary: Summary) -> str:
    """The study's answers in Markdown, for the page of its MLflow run."""
    claims = [f"- **{claim.question}** {claim.sentence}" for claim in summary.claims]
    answers = [f"- **{row.factor}, {display_name(row.metric)}**: {row.answer}; {row.sentence}" for row in summary.answers]
    arms = [f"- **{arm.label}** {arm.verdict}" for arm in summary.arms]
    if summary.effects and summary.effects.replaced:
        answers.append(f"- {summary.effects.replaced}.")
    return "\n".join([*claims, *answers, *arms])


def _register_best(plan: Plan, store: StudyStore, tracker: Tracker, summary: Summary) -> str:
    """Register the study's best generator; says where it is, or why there is none."""
    best = best_generator(plan, store.folder)
    if best is None:
        return "none registered: no arm has a score on validation clips in all of its runs (data.validation_fraction)"
    store.fetch_checkpoints([best])
    label = next(arm.label for arm in plan.arms if arm.name == best.arm)
    return f"{tracker.register(best, summary)}  ({label}, seed {best.seed}; mlflow.pyfunc.load_model draws with it)"


def _announce(plan: Plan, store: StudyStore) -> None:
    kind = "SYNTHETIC faces" if plan.data.synthetic else "real faces"
    images, seconds = sum(t.config.images for t in plan.trials), plan.budget.seconds
    amount = f"{images} images" if seconds is None else f"{seconds * len(plan.trials):g} s of training"
    print(
        f"study    {_short(store)}: {plan.design}, {len(plan.trials)} trials, {amount}, {kind}, VGG-19 {plan.vgg}",
        flush=True,
    )
    # The same hash as `jobs/doctor.py` says elsewhere: a cluster runs what `ray up` brought it.
    print(f"code     {plan.code} (commit {plan.commit})", flush=True)
    if plan.budget.kind != "images":
        print(f"budget   equal {plan.budget.equalised()}", flush=True)


def _say_results(summary: Summary, store: StudyStore, uri: str, model: str, seconds: float) -> None:
    print(f"\ndone in {duration(seconds)}; on people never trained on:\n")
    print("\n".join(study_table(summary)), end="\n\n")
    for arm in summary.arms:
        print(f"  {arm.label:<15} {arm.verdict.split(':')[0]}")
    for claim in summary.claims:
        print(f"\n  {claim.question}\n  {claim.sentence}")
    print()
    study = _short(store)
    print(f"report   {study}/report.html")
    print(f"figures  {study}/figure2.png  {study}/losses.png  {study}/contact_sheet.png")
    print(f"model    {model}")
    print(f"MLflow   {uri}{_how_to_open(uri)}", flush=True)


def _how_to_open(uri: str) -> str:
    if uri.startswith("sqlite:"):
        return "  (make mlflow opens it)"
    # A job's driver runs on the cluster's head, where loopback is the head's.
    here = urlsplit(uri).hostname in ("127.0.0.1", "localhost") and "RAY_ADDRESS" in os.environ
    return "  of the cluster's head (make mlflow-tunnel brings it to this address of yours)" if here else ""


def _short(store: StudyStore) -> str:
    """Where the study lies, as a person types it."""
    if store.place.is_s3:
        return store.place.uri
    return os.path.relpath(store.folder) if store.folder.is_relative_to(Path.cwd()) else str(store.folder)


def _end_badly_where_trials_failed(summary: Summary) -> None:
    failed = [trial for trial in summary.trials if trial.state == "FAILED"]
    for trial in failed:
        print(f"FAILED   trial {trial.key} ({trial.arm}): {trial.error}", file=sys.stderr)
    if failed:
        print(f"{len(failed)} trials failed; the same command tries them again", file=sys.stderr)
        sys.exit(1)


def _commit() -> str:
    here = Path(__file__).parent
    try:
        found = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=here, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()
