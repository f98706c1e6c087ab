"""The trials of a study on Ray Tune: one actor per trial, as many at a time as the cluster has resources for."""

import os
from pathlib import Path
from typing import Any

import torch
from ray import tune
from ray.tune.logger import JsonLoggerCallback
from ray.tune.schedulers import FIFOScheduler

from cluster.datasets.dataset import DataSet
from cluster.runtime.autoscale import wait_for_gpus
from cluster.runtime.device import assigned_device
from cluster.runtime.resource_flags import TrialResources
from cluster.runtime.trial_resources import choose_trial_resources
from cluster.runtime.waiting import explain_waiting
from cluster.storage.weights import stage_vgg
from cluster.studies.asha import AshaPerArm
from cluster.studies.study_store import StudyStore
from facegan.errors import UserError
from facegan.study.design.plan import WARM_UP, Plan, Trial
from facegan.study.folder.trial_folder import FINAL, TrialState, trial_folder
from facegan.trial import run_trial

_RETRIES = 2


def run_sweep(plan: Plan, store: StudyStore, data: DataSet, trial_resources: TrialResources, grace_images: int) -> None:
    """Run the trials of a plan that have not ended. Afterwards each trial's folder holds its result or its error."""
    # The plan's run order keeps factors balanced, so an interrupted study has trained each factor on and off equally often.
    # Starting the longest trials first would save a little time, but leave the short arms for the end.
    todo = _not_ended(plan.run_order(), store)
    if not todo:
        return
    wait_for_gpus(trial_resources.gpus)

    # The trials of a seed branch from its warm-up.
    seeds = {trial.seed for trial in todo}
    warm_ups = _not_ended([trial for trial in plan.warm_ups() if trial.seed in seeds], store)
    if warm_ups:
        _run(warm_ups, plan, store, data, trial_resources, grace_images)
    ended = {run.seed: trial_folder(store.folder, run).state() for run in plan.warm_ups()}
    branches = []
    for trial in todo:
        warm_up = ended.get(trial.seed)
        if warm_up is None or warm_up.state == "COMPLETED":
            branches.append(trial)
        else:
            reason = f"the warm-up of seed {trial.seed} is {warm_up.state}: {warm_up.error}"
            _write_failure(store, trial, UserError(reason))
    if branches:
        _run(branches, plan, store, data, trial_resources, grace_images)


def _write_failure(store: StudyStore, trial: Trial, error: Exception) -> None:
    with store.trial(trial.key) as failed:
        failed.folder.write_failure(error)
        failed.publish(now=True)


def _not_ended(trials: list[Trial], store: StudyStore) -> list[Trial]:
    return [trial for trial in trials if trial_folder(store.folder, trial).state().state not in FINAL]


def _run(
    todo: list[Trial], plan: Plan, store: StudyStore, data: DataSet, trial_resources: TrialResources, grace_images: int
) -> None:
    """Run trials that do not depend on each other."""
    study, is_warm_up = store.folder, todo[0].arm == WARM_UP
    if plan.budget.seconds is None or is_warm_up:
        # With a budget of seconds each trial keeps a GPU of its own, because trials that share one slow each other down.
        # Measured on the full loss: an arm with fewer terms needs less memory, and its trials would be packed too closely.
        trial_resources = choose_trial_resources(trial_resources, plan.base, study)
    resources = trial_resources.resources()
    has_candidates = not is_warm_up and any(trial.candidate for trial in plan.trials)
    warm_ups = {} if is_warm_up else {trial.seed: trial.key for trial in plan.warm_ups()}
    trainable = tune.with_parameters(
        _run_trial,
        store=store,
        data=data,
        trials={trial.key: trial for trial in todo},
        warm_ups=warm_ups,
        seconds=None if is_warm_up else plan.budget.seconds,
    )
    tuner = tune.Tuner(
        tune.with_resources(trainable, resources),
        param_space={"key": tune.grid_search([trial.key for trial in todo])},
        tune_config=tune.TuneConfig(
            max_concurrent_trials=trial_resources.at_once(),
            reuse_actors=True,
            scheduler=AshaPerArm(todo, store, grace_images) if has_candidates else FIFOScheduler(),
            trial_name_creator=lambda trial: f"trial_{trial.config['key']}",
            trial_dirname_creator=lambda trial: trial.config["key"],
        ),
        run_config=tune.RunConfig(
            name=f"tune-{plan.id()}-{os.getpid()}",
            storage_path=str((study / "tune").resolve()),
            failure_config=tune.FailureConfig(max_failures=_RETRIES),
            # Tune reads result.json to match an error to its trial.
            callbacks=[JsonLoggerCallback()],
            verbose=0,
        ),
    )

    before = _states(todo, study)
    with explain_waiting(lambda: _states(todo, study) != before, {name.upper(): n for name, n in resources.items()}):
        results = tuner.fit()
    errors = {str(result.config["key"]): result.error for result in results if result.error}
    for trial in todo:
        if trial.key in errors:
            _write_failure(store, trial, errors[trial.key])


def _states(trials: list[Trial], study: Path) -> list[TrialState]:
    return [trial_folder(study, trial).state() for trial in trials]


def _run_trial(
    config: dict[str, Any],
    *,
    store: StudyStore,
    data: DataSet,
    trials: dict[str, Trial],
    warm_ups: dict[int, str],
    seconds: float | None,
) -> None:
    """Tune's trainable: run the trial with the key `config["key"]` in this actor. `warm_ups` maps seeds to keys of warm-ups."""
    trial = trials[config["key"]]
    device = assigned_device()
    stage_vgg(trial.config.vgg.weights)
    if device.type == "cpu":
        torch.set_num_threads(max(1, int(os.environ.get("OMP_NUM_THREADS", "1"))))
    with store.trial(trial.key) as trial_store:
        run_trial(
            trial.config,
            trial_store,
            data.open(),
            device,
            tune.report,
            seconds=seconds,
            warm_up=warm_ups.get(trial.seed),
            score=trial.arm != WARM_UP,
        )
