"""Early stopping of candidates on Ray Tune: ASHA compares the candidates of an arm, never one arm with another.

What Tune calls a trial is here one stretch of a candidate, from one rung to the next one at which it does not go on at once. So
a candidate that waits at a rung holds no process and no GPU.
"""

from collections.abc import Callable, Sequence
from typing import Any

from ray.tune.experiment import Trial as TuneTrial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from cluster.studies.study_store import StudyStore
from facegan.study.design.plan import Trial
from facegan.study.folder.trial_folder import FINAL, State, trial_folder
from facegan.study.search.objectives import measured
from facegan.study.search.rungs import Rungs


class Halving:
    """The rungs of each arm, and which candidates are new or wait at a rung.

    `trials` are all trials of the search, also those that ended before an interruption: Tune's own ASHA would forget them.
    `todo` are those of them to run. `is_last` says whether no more candidates will be proposed.
    """

    def __init__(self, trials: Sequence[Trial], todo: Sequence[Trial], store: StudyStore, is_last: Callable[[], bool]) -> None:
        self._trials = {trial.key: trial for trial in trials}
        self._store, self._is_last = store, is_last
        self._rungs: dict[str, Rungs] = {}
        for arm in dict.fromkeys(trial.arm for trial in trials):
            candidates = [trial for trial in trials if trial.arm == arm]
            self._rungs[arm] = Rungs(candidates[0].config.checkpoint_at)
            self._rungs[arm].replay(trial_folder(store.folder, trial) for trial in candidates)
        self._waiting = {trial.key for trial in todo if self._is_at_rung(trial)}
        self.new = [trial.key for trial in todo if trial.key not in self._waiting]
        """Those that were not begun, or were interrupted between two rungs."""

    def next(self) -> str | None:
        """The key of the candidate to run next; None if all must wait for those that run, or for more candidates."""
        if chosen := self._promoted(self._rungs, last=False):
            return chosen
        if self.new:
            return self.new.pop(0)
        return self._promoted(self._rungs, last=True) if self._waiting and self._is_last() else None

    def came(self, key: str, images: int, metrics: dict[str, Any]) -> bool:
        """Record what a running candidate reports; whether it goes on."""
        found, rungs = measured(images, metrics), self._rungs[self._trials[key].arm]
        # A trial resumed after its last image reports no score.
        if found is None or images >= self._trials[key].config.images or not rungs.record(key, found):
            return True
        if rungs.best({key}, last=not self.new and self._is_last()) == key:
            return True
        self._waiting.add(key)
        self._write("PAUSED", key)
        return False

    def stop_waiting(self) -> None:
        """End the candidates that wait, if none of them can go on any more."""
        if self._waiting and self._is_last():
            for key in sorted(self._waiting):
                self._write("STOPPED", key)
            self._waiting.clear()

    def _promoted(self, rungs: dict[str, Rungs], *, last: bool) -> str | None:
        """The waiting candidate that goes on from the highest rung of any arm."""
        chosen = [(found.last_rung(key), key) for found in rungs.values() if (key := found.best(self._waiting, last=last))]
        if not chosen:
            return None
        _, key = max(chosen, key=lambda each: each[0])
        self._waiting.discard(key)
        return key

    def _is_at_rung(self, trial: Trial) -> bool:
        images = trial_folder(self._store.folder, trial).state().images
        return 0 < images == self._rungs[trial.arm].last_rung(trial.key)

    def _write(self, state: State, key: str) -> None:
        # The trial's process waits in its report meanwhile, or has ended, so there is no other writer.
        with self._store.trial(key) as trial:
            found = trial.folder.state()
            if found.state not in FINAL:
                trial.folder.write_state(state, images=found.images, seconds=found.seconds, passes=found.passes)
                trial.publish(now=True)


class PauseAtRungs(FIFOScheduler):  # type: ignore[misc]
    """Ends what Tune calls a trial where its candidate has to wait."""

    def __init__(self, halving: Halving) -> None:
        super().__init__()
        self._halving = halving

    def on_trial_result(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> str:
        (key,) = trial.config["keys"]
        goes_on = self._halving.came(key, int(result["images"]), result)
        return str(TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP)


class CandidatesToRun(Searcher):  # type: ignore[misc]
    """Tells Tune which candidate to run next, up to the first that `fits` refuses, `max_concurrent` at a time."""

    def __init__(self, halving: Halving, fits: Callable[[str], bool], *, max_concurrent: int) -> None:
        super().__init__()
        self._halving, self._fits, self.max_concurrent = halving, fits, max_concurrent
        self._running = set[str]()

    def suggest(self, trial_id: str) -> dict[str, list[str]] | str | None:
        if len(self._running) >= self.max_concurrent:
            return None
        key = self._halving.next()
        if key is not None and self._fits(key):
            self._running.add(trial_id)
            return {"keys": [key]}
        if key is None and self._running:
            return None
        if key is None:
            self._halving.stop_waiting()
        return str(Searcher.FINISHED)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        self._running.discard(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Nothing is saved: what candidates have written says where a search is."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing is restored either."""
