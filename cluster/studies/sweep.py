"""Trials of a study on Ray Tune: each is a Tune actor; ASHA ends candidates within an arm, never one arm against another."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from ray import tune
from ray.tune.experiment import Trial as TuneTrial
from ray.tune.logger import JsonLoggerCallback
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler

from cluster.datasets.dataset import DataSet
from cluster.runtime.autoscale import wait_for_gpus
from cluster.runtime.device import assigned_device
from cluster.runtime.trial_resources import TrialResources, choose_trial_resources
from cluster.runtime.waiting import explain_waiting
from cluster.storage.weights import stage_vgg
from cluster.studies.study_store import StudyStore
from facegan.config import Config
from facegan.errors import UserError
from facegan.study.analysis.model_selection import SELECTION
from facegan.study.design.plan import Plan, Trial
from facegan.study.folder.trial_folder import FINAL, TrialState, trial_folder
from facegan.trial import run_trial

_RETRIES = 2


def check_candidates(config: Config, grace_images: int, *, most: float | None = None) -> None:
    """Refuse what ASHA could not judge by: no validation clips, or a grace beyond the `most` images of a run."""
    if not config.data.validation_fraction:
        raise UserError("data.validation_fraction is 0: candidates are judged on validation clips, so hold some out")
    most = config.images if most is None else most
    if not config.checkpoint_every <= grace_images <= most:
        raise UserError(
            f"--grace_images is {grace_images}: from checkpoint_every ({config.checkpoint_every}), when a candidate is first "
            f"judged, to images ({most})"
        )


def run_sweep(plan: Plan, store: StudyStore, data: DataSet, share: TrialResources, grace_images: int) -> None:
    """Run what is missing of a plan; each trial's outcome is in its folder when this returns."""
    study = store.folder
    # In the plan's order a study that is broken off has seen every factor on and off equally often; longest first would
    # save a little time at the end and leave the short arms for last.
    missing = [t for t in plan.run_order() if trial_folder(study, t).state().state not in FINAL]
    if not missing:
        return
    wait_for_gpus(share.gpus)
    if plan.budget.seconds is None:
        # Runs that share a GPU take each other's seconds: then each has one of its own.
        share = choose_trial_resources(share, plan.trials[0].config, study)
    several = any(t.candidate for t in plan.trials)
    tuner = tune.Tuner(
        tune.with_resources(
            tune.with_parameters(_tune_trial, store=store, data=data, trials=_by_key(missing), seconds=plan.budget.seconds),
            share.resources(),
        ),
        param_space={"key": tune.grid_search([t.key for t in missing])},
        tune_config=tune.TuneConfig(
            max_concurrent_trials=share.at_once(),
            reuse_actors=True,
            scheduler=_AshaPerArm(missing, store, grace_images) if several else FIFOScheduler(),
            trial_name_creator=lambda trial: f"trial_{trial.config['key']}",
            trial_dirname_creator=lambda trial: trial.config["key"],
        ),
        run_config=tune.RunConfig(
            name=f"tune-{plan.id()}-{os.getpid()}",
            storage_path=str((study / "tune").resolve()),
            failure_config=tune.FailureConfig(max_failures=_RETRIES),
            # Without its result.json Tune cannot say afterwards which trial failed.
            callbacks=[JsonLoggerCallback()],
            verbose=0,
        ),
    )
    before = _states(missing, study)
    needs = {name.upper(): amount for name, amount in share.resources().items()}
    with explain_waiting(lambda: _states(missing, study) != before, needs):
        results = tuner.fit()
    errors = {str(result.config["key"]): result.error for result in results if result.error}
    for trial in missing:
        if trial.key in errors:
            with store.trial(trial.key) as broken:
                broken.folder.write_failure(errors[trial.key])
                broken.publish(now=True)


def _states(trials: Sequence[Trial], study: Path) -> list[TrialState]:
    return [trial_folder(study, trial).state() for trial in trials]


def _by_key(trials: Sequence[Trial]) -> dict[str, Trial]:
    return {trial.key: trial for trial in trials}


def _tune_trial(
    config: dict[str, Any], *, store: StudyStore, data: DataSet, trials: dict[str, Trial], seconds: float | None
) -> None:
    trial = trials[config["key"]]
    device = assigned_device()
    stage_vgg(trial.config.vgg.weights)
    if device.type == "cpu":
        torch.set_num_threads(max(1, int(os.environ.get("OMP_NUM_THREADS", "1"))))
    with store.trial(trial.key) as mine:
        run_trial(trial.config, mine, data.open(), device, tune.report, seconds)


class _AshaPerArm(FIFOScheduler):  # type: ignore[misc]
    """One ASHA an arm: it compares candidates of an arm by their score on validation clips, on the clock of images seen:
    candidates of an arm cost the same an image, so it is fair with a budget of seconds too, and repeatable."""

    def __init__(self, trials: Sequence[Trial], store: StudyStore, grace_images: int) -> None:
        super().__init__()
        self._arm = {t.key: t.arm for t in trials}
        self._store = store
        self._asha = {
            arm: ASHAScheduler(
                time_attr="images",
                metric=SELECTION,
                mode="min",
                max_t=max(t.config.images for t in trials if t.arm == arm),
                grace_period=grace_images,
                reduction_factor=3,
            )
            for arm in set(self._arm.values())
        }

    def _of(self, trial: TuneTrial) -> TrialScheduler:
        return self._asha[self._arm[trial.config["key"]]]

    def on_trial_add(self, tune_controller: Any, trial: TuneTrial) -> None:
        self._of(trial).on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> str:
        if SELECTION not in result:  # a trial that was resumed behind its last image
            return str(TrialScheduler.CONTINUE)
        decision: str = self._of(trial).on_trial_result(tune_controller, trial, result)
        if decision == TrialScheduler.STOP:
            self._say_stopped(trial.config["key"])
        return decision

    def _say_stopped(self, key: str) -> None:
        # The trial waits in its report meanwhile, so nobody else writes.
        with self._store.trial(key) as stopped:
            found = stopped.folder.state()
            if found.state not in FINAL:
                stopped.folder.write_state("STOPPED", images=found.images, seconds=found.seconds, passes=found.passes)
                stopped.publish(now=True)

    def on_trial_complete(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> None:
        # A diverged trial completes without a score; ASHA has nothing to learn from it.
        if SELECTION in result:
            self._of(trial).on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: Any, trial: TuneTrial) -> None:
        self._of(trial).on_trial_remove(tune_controller, trial)
