"""Early stopping of candidates: ASHA compares the candidates of an arm, never one arm with another."""

from collections.abc import Sequence
from typing import Any

from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from cluster.studies.study_store import StudyStore
from facegan.study.analysis.model_selection import SELECTION
from facegan.study.analysis.rungs import Rungs
from facegan.study.design.plan import Trial
from facegan.study.folder.trial_folder import FINAL, trial_folder


class AshaPerArm(FIFOScheduler):  # type: ignore[misc]
    """A scheduler of Tune with the rungs of each arm, which compares validation scores at equal numbers of images.

    `trials` are all trials of the study, also those that ended before an interruption: Tune's own ASHA would forget them.
    Candidates of an arm cost the same per image. Comparing at equal images is therefore fair with a budget of seconds too, and
    unlike time it is reproducible.
    """

    def __init__(self, trials: Sequence[Trial], store: StudyStore, grace_images: int) -> None:
        super().__init__()
        self._arm = {trial.key: trial.arm for trial in trials}
        self._store = store
        self._rungs: dict[str, Rungs] = {}
        for arm in set(self._arm.values()):
            candidates = [trial for trial in trials if trial.arm == arm]
            self._rungs[arm] = Rungs(grace_images, max(trial.config.images for trial in candidates))
            self._rungs[arm].replay(trial_folder(store.folder, trial) for trial in candidates)

    def on_trial_result(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> str:
        if SELECTION not in result:  # a trial resumed after its last image reports no score
            return str(TrialScheduler.CONTINUE)
        (key,) = trial.config["keys"]
        if self._rungs[self._arm[key]].goes_on(key, int(result["images"]), result[SELECTION]):
            return str(TrialScheduler.CONTINUE)
        self._write_stopped(key)
        return str(TrialScheduler.STOP)

    def _write_stopped(self, key: str) -> None:
        # The trial's process waits in its report meanwhile, so there is no other writer.
        with self._store.trial(key) as stopped:
            found = stopped.folder.state()
            if found.state not in FINAL:
                stopped.folder.write_state("STOPPED", images=found.images, seconds=found.seconds, passes=found.passes)
                stopped.publish(now=True)
