"""Run a whole study, from the data set to the report. Running it again continues where it stopped.

Ray and torch are imported inside functions: they take seconds, and a wrong plan is refused before that.
"""

import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from cluster.datasets.dataset import DataSet
from cluster.datasets.prepare import check_usable, describe_data, prepare_data
from cluster.runtime.resource_flags import TrialResources
from cluster.storage.patience import when_reachable
from cluster.storage.uri import StorageURI, storage_uri
from cluster.studies.arguments import StudyArguments
from cluster.studies.cost_flags import CostFlags
from cluster.studies.progress import show_progress
from cluster.studies.reuse import copy_finished_trials
from cluster.studies.study_data import data_of_study
from cluster.studies.study_store import StudyStore
from cluster.tracking import import_tracker, start_tracker
from cluster.tracking.tracker import Tracker
from facegan.code_commit import code_commit
from facegan.data.versions.manifest import manifest_key
from facegan.errors import UserError
from facegan.files import write_json
from facegan.nets.vgg_weights import weights_name
from facegan.report.formatting import duration
from facegan.report.study_text import look_lines, markdown_answers, plan_lines, result_lines
from facegan.study.analysis.model_selection import best_generator
from facegan.study.conclusions.next_look import seeds_of_next_look
from facegan.study.conclusions.summary import Summary
from facegan.study.cost.spending import read_spending
from facegan.study.design.analysis_plan import AnalysisPlan, default_analysis
from facegan.study.design.arms import Arm, Factor
from facegan.study.design.budget import Budget
from facegan.study.design.candidates import SearchSettings
from facegan.study.design.plan import Plan, Trial, make_plan
from facegan.study.folder.study_folder import PLAN
from facegan.study.folder.trial_folder import TrialState, trial_folder
from facegan.study.search.results import SEARCH, SearchResult
from facegan.training.precision import Precision, choose_precision

STUDIES = Path("studies")


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyRequest:
    """What a job asks for: the shared arguments, which have been checked, and the arms with their repetitions."""

    shared: StudyArguments
    design: str
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    factors: tuple[Factor, ...] = ()
    extension: tuple[str, ...] = ()
    """Names of the arms that extend a study of the others."""
    budget: Budget = field(default_factory=Budget)
    analysis: AnalysisPlan = field(default_factory=default_analysis)
    trial_resources: TrialResources = field(default_factory=TrialResources)
    cost: CostFlags = field(default_factory=CostFlags)
    search: SearchSettings | None = None
    """How each arm's candidates are chosen, in a search."""
    searched: SearchResult | None = None
    """The search that the arms' values are from."""
    share_trials: bool = False
    """Whether trials that a study beside this one has finished are copied in place of being trained again."""


RunTrials = Callable[[Plan, StudyStore, DataSet], None]
"""Runs the trials of a plan that have not ended."""


@dataclass(frozen=True, slots=True)
class PreparedStudy:
    """A study whose arguments have been checked against its data and its location, before its plan is written."""

    request: StudyRequest
    data: DataSet
    store: StudyStore
    precision: Precision

    def plan(self, seeds: Sequence[int]) -> Plan:
        """Write the plan with these seeds, or extend the study's own, and take over runs that other studies have finished."""
        plan = self.store.open(_plan(self.request, self.data, seeds, self.precision))
        copied = copy_finished_trials(plan, self.store) if self.request.share_trials else []
        if copied:
            where = self.store.folder.parent
            print(f"reuse    {len(copied)} finished runs of other studies in {where}: {' '.join(copied)}", flush=True)
        return plan

    @property
    def shown_path(self) -> str:
        """The study's URI, or its folder relative to the working directory."""
        folder = self.store.folder
        if self.store.location.is_remote:
            return self.store.location.uri
        return os.path.relpath(folder) if folder.is_relative_to(Path.cwd()) else str(folder)


def run_study(request: StudyRequest, run_trials: RunTrials) -> tuple[Path, Plan]:
    """Run a study and print its results; returns the study's folder on this machine and its plan.

    Exits with code 1 if trials failed, or all of them diverged, after everything else has been written.
    """
    started = time.monotonic()
    study = prepare(request)
    with study.store.only_driver():
        plan, summary, tracked = _run(study, run_trials)

    # Console
    print(f"\ndone in {duration(time.monotonic() - started)}; on held-out people:\n")
    print("\n".join(result_lines(summary)), end="\n\n")
    print(f"report   {study.shown_path}/report.html")
    print(f"figures  {study.shown_path}/plane.png  {study.shown_path}/figure2.png  {study.shown_path}/losses.png")
    print("\n".join(tracked), flush=True)
    exit_if_trials_failed(plan, study.store)
    exit_if_all_diverged(plan, study.store)
    return study.store.folder, plan


def prepare(request: StudyRequest) -> PreparedStudy:
    """Make or find the data set, check the study's location, and start Ray if trials are left. Raises UserError."""
    shared = request.shared

    # Data. The VGG-19 weights come first: making the data set can take long, and downloading them can fail.
    weights_name(shared.config.vgg)
    data = prepare_data(shared.source, shared.data, shared.synthetic, shared.ingest.request(shared.config.data.size))
    if shared.study:
        data = data_of_study(data, StudyStore(storage_uri("--study", shared.study)))

    # Plan: written before the first trial, or compared with the plan of the existing study.
    # A study that grows by seeds keeps its folder, because a plan's id does not depend on its seeds, nor on the precision that
    # is chosen once Ray has started.
    wanted = _plan(request, data, request.seeds, "fp32")
    store = StudyStore(study_location(request, wanted))
    existing = store.planned(wanted)
    if existing is None or store.not_ended(existing.trials):
        from cluster.runtime.start import start_ray_beside

        start_ray_beside(_load_meanwhile)
    check_usable(data, shared.config)
    # An existing plan keeps its precision, and nobody asks Ray for GPUs then, which a finished study has not started.
    precision = choose_precision(
        existing.base.optim.precision if existing else "auto",
        # An autoscaling cluster may not have the GPUs yet that a trial asks for.
        on_gpu=existing is None and (request.trial_resources.gpus > 0 or request.trial_resources.resources()["gpu"] > 0),
    )
    return PreparedStudy(request, data, store, precision)


def _load_meanwhile() -> None:
    """Load what the driver needs once trials run, when it would take their cores."""
    from cluster.studies.references import load_evaluators

    load_evaluators()
    import_tracker()


def study_location(request: StudyRequest, plan: Plan) -> StorageURI:
    """Where a study is: as the user said, or a folder named by its plan."""
    default = STUDIES / f"{request.design}-{request.shared.preset}-{plan.id()}"
    return storage_uri("--study", request.shared.study or str(default))


def _run(study: PreparedStudy, run_trials: RunTrials) -> tuple[Plan, Summary, list[str]]:
    """Run the trials, seed by seed in a study that grows, and send the results; with the console's lines about the tracker."""
    request, store = study.request, study.store
    plan = study.plan(request.seeds)
    if request.searched is not None:
        write_json(store.folder / SEARCH, request.searched)
    print("\n".join(plan_lines(plan, study.shown_path)), flush=True)
    tracker, summary = _train_and_report(study, plan, run_trials)
    while not read_spending(store.folder).limit and (seeds := seeds_of_next_look(plan, summary.claims, summary.change)):
        exit_if_trials_failed(plan, store)
        print("\n".join(look_lines(plan, summary, seeds)), flush=True)
        plan = study.plan(seeds)
        tracker, summary = _train_and_report(study, plan, run_trials)
    tracked = _send_to_tracker(plan, store, tracker, summary)
    return plan, summary, tracked


def _plan(request: StudyRequest, data: DataSet, seeds: Sequence[int], auto_precision: Precision) -> Plan:
    return make_plan(
        request.shared.config,
        request.arms,
        design=request.design,
        preset=request.shared.preset,
        seeds=seeds,
        data=describe_data(data),
        commit=code_commit(),
        factors=request.factors,
        budget=request.budget,
        analysis=request.analysis,
        auto_precision=auto_precision,
        search=request.search,
        extension=request.extension,
    )


def _train_and_report(study: PreparedStudy, plan: Plan, run_trials: RunTrials) -> tuple[Tracker, Summary]:
    """Run the trials of a plan that have not ended, and write all outputs of the study as it then is."""
    from cluster.studies.references import measure_references
    from facegan.outputs import write_outputs

    store, data = study.store, study.data
    tracker = train(study, plan, run_trials, lambda: measure_references(store, data))
    print("report   drawing the figures", flush=True)
    when_reachable(store.fetch_shown_checkpoints)
    summary = write_outputs(plan, store.folder, data.open(), include_faces=study.request.shared.include_faces)
    when_reachable(store.push)
    return tracker, summary


def train(study: PreparedStudy, plan: Plan, run_trials: RunTrials, meanwhile: Callable[[], object] = lambda: None) -> Tracker:
    """Run the trials of a plan that have not ended, and `meanwhile` beside them; returns the tracker of the study."""
    store, data = study.store, study.data
    todo = store.not_ended(plan.trials)
    if todo:
        from cluster.runtime.shared_paths import check_shared_paths
        from cluster.runtime.start import start_ray
        from cluster.studies.meter import metered

        start_ray()
        check_shared_paths(_local_files(store, data))
    # Both take seconds, in which the first trials start. One after the other, since they take the trials' cores.
    tracker = start_tracker(plan, store.folder, store.location.uri if store.location.is_remote else "")
    with ThreadPoolExecutor(1, "driver") as pool:
        beside = pool.submit(meanwhile)
        with show_progress(plan, store, lambda: pool.submit(tracker.sync).result()):
            if todo:
                with metered(plan, store, study.request.cost, study.request.trial_resources):
                    run_trials(plan, store, data)
        beside.result()
    when_reachable(store.pull)
    return tracker


def _local_files(store: StudyStore, data: DataSet) -> dict[str, Path]:
    """A file of each local folder that all nodes must see, by the flag that names the folder."""
    files = {}
    if not store.location.is_remote:
        files["--study"] = store.folder / PLAN
    location = StorageURI(data.uri)
    if not location.is_remote:
        files["--data"] = location.folder / manifest_key(data.version)
    return files


def _send_to_tracker(plan: Plan, store: StudyStore, tracker: Tracker, summary: Summary) -> list[str]:
    """Send the results and register the study's best generator; returns the console's lines about both.

    The study is complete without its tracker, so one that does not answer is not an error of the study.
    """
    best = best_generator(plan, store.folder)
    if best is not None:
        store.fetch_checkpoints([best])
    try:
        if best is None:
            model = "none registered: no arm has a score on validation clips in all of its runs (data.validation_fraction)"
        else:
            made = tracker.register(best, summary)
            label = next(arm.label for arm in plan.arms if arm.name == best.arm)
            model = f"{made.uri}  ({label}, seed {best.seed}; {made.usage})"
        tracker.finish(markdown_answers(summary), {claim.claim: claim.answer for claim in summary.claims})
        curves = [f"curves   {tracker.view}"] if tracker.view else []
        return [f"model    {model}", f"{tracker.name:<8} {tracker.location}", *curves]
    except UserError as error:
        return [f"{tracker.name:<8} NOT COMPLETE: {error}"]


def exit_if_trials_failed(plan: Plan, store: StudyStore) -> None:
    """Name the trials that failed and exit with code 1, if there are any."""
    failed = {trial: state for trial, state in _states(plan, store).items() if state.state == "FAILED"}
    for trial, state in failed.items():
        print(f"FAILED   trial {trial.key} ({trial.arm}): {state.error}", file=sys.stderr)
    if failed:
        print(f"{len(failed)} trials failed; run the same command again to retry them", file=sys.stderr)
        sys.exit(1)


def exit_if_all_diverged(plan: Plan, store: StudyStore) -> None:
    """Say so and exit with code 1, if all trials diverged: there is no result then."""
    states = list(_states(plan, store).values())
    if all(state.state == "DIVERGED" for state in states):
        print(
            f"no result: {'the run' if len(states) == 1 else f'all {len(states)} runs'} diverged ({states[0].error}); "
            "lower the weights or the learning rates, --loss.* or --optim.*, in a new study",
            file=sys.stderr,
        )
        sys.exit(1)


def _states(plan: Plan, store: StudyStore) -> dict[Trial, TrialState]:
    return {trial: trial_folder(store.folder, trial).state() for trial in plan.trials}
