"""Early stopping of candidates: ASHA compares the candidates of an arm, never one arm with another."""

from collections.abc import Sequence
from typing import Any

from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, TrialScheduler

from cluster.studies.study_store import StudyStore
from facegan.study.analysis.model_selection import SELECTION
from facegan.study.design.plan import Trial
from facegan.study.folder.trial_folder import FINAL


class AshaPerArm(FIFOScheduler):  # type: ignore[misc]
    """A scheduler of Tune with one ASHA per arm, which compares validation scores at equal numbers of images.

    Candidates of an arm cost the same per image. Comparing at equal images is therefore fair with a budget of seconds too, and
    unlike time it is reproducible.
    """

    def __init__(self, trials: Sequence[Trial], store: StudyStore, grace_images: int) -> None:
        super().__init__()
        self._arm = {trial.key: trial.arm for trial in trials}
        self._store = store
        self._asha = {
            arm: ASHAScheduler(
                time_attr="images",
                metric=SELECTION,
                mode="min",
                max_t=max(trial.config.images for trial in trials if trial.arm == arm),
                grace_period=grace_images,
                reduction_factor=3,
            )
            for arm in set(self._arm.values())
        }

    def _scheduler(self, trial: TuneTrial) -> TrialScheduler:
        return self._asha[self._arm[trial.config["keys"][0]]]

    def on_trial_add(self, tune_controller: Any, trial: TuneTrial) -> None:
        self._scheduler(trial).on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> str:
        if SELECTION not in result:  # a trial resumed after its last image reports no score
            return str(TrialScheduler.CONTINUE)
        decision: str = self._scheduler(trial).on_trial_result(tune_controller, trial, result)
        if decision == TrialScheduler.STOP:
            self._write_stopped(trial.config["keys"][0])
        return decision

    def _write_stopped(self, key: str) -> None:
        # The trial's process waits in its report meanwhile, so there is no other writer.
        with self._store.trial(key) as stopped:
            found = stopped.folder.state()
            if found.state not in FINAL:
                stopped.folder.write_state("STOPPED", images=found.images, seconds=found.seconds, passes=found.passes)
                stopped.publish(now=True)

    def on_trial_complete(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> None:
        if SELECTION in result:  # a diverged trial completes without a score
            self._scheduler(trial).on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: Any, trial: TuneTrial) -> None:
        self._scheduler(trial).on_trial_remove(tune_controller, trial)
