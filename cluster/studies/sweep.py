"""The trials of a study on Ray Tune: as many actors at a time as the cluster has resources for.

An actor trains one run at a time, or with --runs_together several of a seed. What Tune calls a trial is then a group of them.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from ray import tune
from ray.tune.logger import JsonLoggerCallback
from ray.tune.schedulers import FIFOScheduler

from cluster.datasets.dataset import DataSet
from cluster.runtime.autoscale import wait_for_gpus
from cluster.runtime.device import assigned_device
from cluster.runtime.ray_folder import explain_full_folder
from cluster.runtime.resource_flags import TrialResources
from cluster.runtime.trial_resources import choose_trial_resources
from cluster.runtime.waiting import explain_waiting
from cluster.storage.weights import stage_vgg
from cluster.studies.asha import CandidatesToRun, PauseAtRungs, RunningSearch
from cluster.studies.cost_flags import CostFlags
from cluster.studies.meter import cost_limit
from cluster.studies.study_store import StudyStore
from cluster.studies.tune_callbacks import RETRIES, GrowWithCluster, TrialFailures, TrialsThatFit
from facegan.clock import steady_unix_time
from facegan.errors import UserError
from facegan.scorer import Scorer
from facegan.study.cost.limit import Limit
from facegan.study.cost.timing import write_timing
from facegan.study.design.plan import WARM_UP, Plan, Trial
from facegan.study.folder.trial_folder import FINAL, TrialState, trial_folder
from facegan.study.search.generations import next_generation
from facegan.study.search.limit import SearchLimit
from facegan.training.train import same_batches
from facegan.trial import TrialRun, run_trials


def run_sweep(
    plan: Plan,
    store: StudyStore,
    data: DataSet,
    trial_resources: TrialResources,
    runs_together: int = 1,
    cost: CostFlags | None = None,
    finalist_seeds: int = 1,
) -> None:
    """Run the trials of a plan that have not ended. Afterwards each trial's folder holds its result or its error.

    Up to `runs_together` trials of a seed train in one process; in a search, or with a budget of seconds, one. The candidates
    of a search are not scored on test people. With a limit in `cost` whole seeds are started as long as they fit into it, and
    trials that do not fit stay as they are. A search leaves time for its finalists with so many seeds.
    """
    # The plan's run order keeps factors balanced, so an interrupted study has trained each factor on and off equally often.
    # Starting the longest trials first would save a little time, but leave the short arms for the end.
    todo = store.not_ended(plan.run_order())
    if not todo:
        return
    wait_for_gpus(trial_resources.gpus)
    limit = cost_limit(plan, store, cost) if cost else None
    of_search = SearchLimit(limit, finalist_seeds, trial_resources.at_once()) if limit and plan.search else None
    sweep = _Sweep(plan, store, data, trial_resources, runs_together, limit, of_search)
    if limit is None or of_search is not None:
        _run_seeds(todo, sweep)
        return
    # What the first seeds took says whether more of them fit.
    tried = set[str]()
    while chosen := limit.whole_seeds([trial for trial in todo if trial.key not in tried], trial_resources.at_once()):
        _run_seeds(chosen, sweep)
        tried |= {trial.key for trial in chosen}


@dataclass(frozen=True, slots=True)
class _Sweep:
    """What is the same for all trials of a sweep."""

    plan: Plan
    store: StudyStore
    data: DataSet
    trial_resources: TrialResources
    runs_together: int
    limit: Limit | None
    search_limit: SearchLimit | None
    """The limit of a search with its finalists, for its candidates."""


def _run_seeds(todo: list[Trial], sweep: _Sweep) -> None:
    """Run the warm-ups of these trials' seeds, then the trials, which branch from them."""
    plan, store, limit = sweep.plan, sweep.store, sweep.limit
    seeds = {trial.seed for trial in todo}
    warm_ups = store.not_ended(trial for trial in plan.warm_ups() if trial.seed in seeds)
    if warm_ups:
        _run(warm_ups, replace(sweep, runs_together=1))
    ended = {run.seed: trial_folder(store.folder, run).state() for run in plan.warm_ups()}
    branches = []
    for trial in todo:
        warm_up = ended.get(trial.seed)
        if warm_up is None or warm_up.state == "COMPLETED":
            branches.append(trial)
        elif limit is None or not limit.passed():
            reason = f"the warm-up of seed {trial.seed} is {warm_up.state}: {warm_up.error}"
            _write_failure(store, trial, UserError(reason))
    if branches:
        _run(branches, sweep)


def _write_failure(store: StudyStore, trial: Trial, error: Exception) -> None:
    with store.trial(trial.key) as failed:
        failed.claim()
        failed.folder.write_failure(error)
        failed.publish(now=True)


def _run(todo: list[Trial], sweep: _Sweep) -> None:
    """Run trials that do not depend on each other."""
    plan, store, trial_resources = sweep.plan, sweep.store, sweep.trial_resources
    if sweep.runs_together == 1 and (plan.budget.seconds is None or todo[0].arm == WARM_UP):
        # With a budget of seconds each trial keeps a GPU of its own, because trials that share one slow each other down.
        # Measured on the full loss: an arm with fewer terms needs less memory, and its trials would be packed too closely.
        trial_resources = choose_trial_resources(trial_resources, plan.base, store.folder)
    tuner = _tuner(todo, sweep, trial_resources)
    before = _states(todo, store.folder)
    needs = {name.upper(): n for name, n in trial_resources.resources().items()}
    with explain_full_folder(), explain_waiting(lambda: _states(todo, store.folder) != before, needs):
        results = tuner.fit()
    errors = {key: result.error for result in results if result.error for key in result.config["keys"]}
    for trial in todo:
        if trial.key in errors and trial_folder(store.folder, trial).state().state not in FINAL:
            _write_failure(store, trial, errors[trial.key])


def _tuner(todo: list[Trial], sweep: _Sweep, trial_resources: TrialResources) -> tune.Tuner:
    """Ray Tune's run of these trials, each with these resources."""
    plan, store = sweep.plan, sweep.store
    is_warm_up = todo[0].arm == WARM_UP
    is_search = plan.search is not None and not is_warm_up
    limit = sweep.search_limit if is_search else sweep.limit
    groups, by_key = _groups(todo, sweep.runs_together), {trial.key: trial for trial in todo}
    trainable = tune.with_parameters(
        _run_group,
        store=store,
        data=sweep.data,
        trials=by_key,
        warm_ups={} if is_warm_up else {trial.seed: trial.key for trial in plan.warm_ups()},
        seconds=None if is_warm_up else plan.budget.seconds,
        score=not is_warm_up and not is_search,
    )
    generator, scheduler = _what_to_run(todo, groups, sweep, trial_resources.at_once(), is_search)
    failures = TrialFailures(
        {trial.key: plan.name_of(trial) for trial in todo},
        lambda keys: sum(_state(store.folder, by_key[key]).images for key in keys),
    )
    return tune.Tuner(
        tune.with_resources(trainable, trial_resources.resources()),
        param_space=None if is_search else {"keys": tune.grid_search(groups)},
        tune_config=tune.TuneConfig(
            reuse_actors=True,
            trial_name_creator=lambda group: f"trial_{group.config['keys'][0]}",
            # A candidate that was paused has several.
            trial_dirname_creator=lambda group: f"{group.config['keys'][0]}-{group.trial_id}",
            # Of a search, the generator says when it has finished.
            num_samples=-1 if is_search else 1,
            search_alg=generator,
            scheduler=scheduler,
        ),
        run_config=tune.RunConfig(
            name=f"tune-{plan.id()}-{os.getpid()}",
            storage_path=str((store.folder / "tune").resolve()),
            failure_config=tune.FailureConfig(max_failures=RETRIES),
            # Ended at a report after its checkpoint, a trial can be continued.
            stop=None if limit is None else lambda _, __: limit.passed(),
            # Tune reads result.json to match an error to its trial.
            callbacks=[JsonLoggerCallback(), failures, GrowWithCluster(generator, trial_resources)],
            verbose=0,
        ),
    )


def _what_to_run(
    todo: list[Trial], groups: list[list[str]], sweep: _Sweep, at_once: int, is_search: bool
) -> tuple[TrialsThatFit | CandidatesToRun, FIFOScheduler]:
    """What tells Tune which trials to run next, and when to end one."""
    if is_search:
        search = RunningSearch(sweep.plan, todo, sweep.store, lambda: _are_last(todo, sweep), sweep.search_limit)
        return CandidatesToRun(search, max_concurrent=at_once), PauseAtRungs(search)
    limit, by_key = sweep.limit, {trial.key: trial for trial in todo}

    def fits(keys: list[str]) -> bool:
        return limit is None or all(limit.fits(by_key[key]) for key in keys)

    return TrialsThatFit(groups, fits, max_concurrent=at_once), FIFOScheduler()


def _are_last(todo: Sequence[Trial], sweep: _Sweep) -> bool:
    """Whether these are all candidates of a search that have not ended, and no more will be proposed."""
    plan, store = sweep.plan, sweep.store
    left = {trial.key for trial in store.not_ended(plan.trials)} - {trial.key for trial in todo}
    return not left and next_generation(plan, store.folder) is None


def _states(trials: list[Trial], study: Path) -> list[TrialState]:
    return [_state(study, trial) for trial in trials]


def _state(study: Path, trial: Trial) -> TrialState:
    return trial_folder(study, trial).state()


def _groups(todo: list[Trial], size: int) -> list[list[str]]:
    """The keys of the trials that each actor runs together: up to `size` that see the same batches, in the order of `todo`."""
    alike: dict[tuple[Any, ...], list[str]] = {}
    for trial in todo:
        alike.setdefault(same_batches(trial.config), []).append(trial.key)
    groups = [keys[start : start + size] for keys in alike.values() for start in range(0, len(keys), size)]
    order = {trial.key: place for place, trial in enumerate(todo)}
    return sorted(groups, key=lambda keys: order[keys[0]])


def _run_group(
    config: dict[str, Any],
    *,
    store: StudyStore,
    data: DataSet,
    trials: dict[str, Trial],
    warm_ups: dict[int, str],
    seconds: float | None,
    score: bool,
) -> None:
    """Tune's trainable: run the trials with the keys `config["keys"]` in this actor. `warm_ups` maps seeds to their keys."""
    started = steady_unix_time()
    device = assigned_device()
    if device.type == "cpu":
        torch.set_num_threads(max(1, int(os.environ.get("OMP_NUM_THREADS", "1"))))
    scorer = _scorer(store.location.uri, data)
    with ExitStack() as stack:
        runs = []
        for trial in (trials[key] for key in config["keys"]):
            stage_vgg(trial.config.vgg.weights)
            storage = stack.enter_context(store.trial(trial.key))
            # An actor that takes up the group of one that died has some ended runs.
            if len(config["keys"]) == 1 or storage.folder.state().state not in FINAL:
                runs.append(TrialRun(trial.config, storage, warm_ups.get(trial.seed), score=score))
        is_new = len(runs) == 1 and not runs[0].storage.folder.state().images
        if runs:
            run_trials(runs, scorer.data, device, lambda _, metrics: tune.report(metrics), scorer, seconds=seconds)
        if is_new:
            write_timing(runs[0].storage.folder, started, steady_unix_time() - started)
            runs[0].storage.publish(now=True)


@lru_cache(maxsize=1)
def _scorer(study: str, data: DataSet) -> Scorer:
    """What scores the trials of a study in this actor, which Tune uses for one trial after the other."""
    return Scorer(data.open())
