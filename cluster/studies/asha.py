"""Early stopping of candidates: ASHA compares the candidates of an arm, never one arm with another."""

from collections.abc import Sequence
from typing import Any

from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from cluster.studies.study_store import StudyStore
from facegan.study.design.plan import Trial
from facegan.study.folder.trial_folder import FINAL, trial_folder
from facegan.study.search.objectives import measured
from facegan.study.search.rungs import Rungs


class AshaPerArm(FIFOScheduler):  # type: ignore[misc]
    """A scheduler of Tune with the rungs of each arm, which compares what candidates measured at equal numbers of images.

    `trials` are all trials of the search, also those that ended before an interruption: Tune's own ASHA would forget them.
    """

    def __init__(self, trials: Sequence[Trial], store: StudyStore) -> None:
        super().__init__()
        self._trials = {trial.key: trial for trial in trials}
        self._store = store
        self._rungs: dict[str, Rungs] = {}
        for arm in dict.fromkeys(trial.arm for trial in trials):
            candidates = [trial for trial in trials if trial.arm == arm]
            self._rungs[arm] = Rungs(candidates[0].config.checkpoint_at)
            self._rungs[arm].replay(trial_folder(store.folder, trial) for trial in candidates)

    def on_trial_result(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> str:
        (key,) = trial.config["keys"]
        found = measured(int(result["images"]), result)
        # A trial resumed after its last image reports no score.
        if found is None or self._rungs[self._trials[key].arm].goes_on(key, found):
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
