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
from facegan.study.design.plan import Plan, Trial
from facegan.study.folder.trial_folder import FINAL, State, trial_folder
from facegan.study.search.halving import Halving
from facegan.study.search.limit import SearchLimit
from facegan.study.search.objectives import measured
from facegan.study.search.rungs import Rungs


class RunningSearch:
    """The candidates of a search while it runs, and the states of those that wait or are stopped.

    `plan` has all trials of the search, also those that ended before an interruption: Tune's own ASHA would forget them.
    `todo` are those of them to run. `is_last` says whether no more candidates will be proposed. Raises UserError if a `limit`
    leaves no time for a search at all.
    """

    def __init__(
        self,
        plan: Plan,
        todo: Sequence[Trial],
        store: StudyStore,
        is_last: Callable[[], bool],
        limit: SearchLimit | None = None,
    ) -> None:
        assert plan.search is not None, "a plan without candidates"
        self._trials = {trial.key: trial for trial in plan.trials}
        self._store = store
        rungs: dict[str, Rungs] = {}
        for arm in dict.fromkeys(trial.arm for trial in plan.trials):
            candidates = [trial for trial in plan.trials if trial.arm == arm]
            rungs[arm] = Rungs(candidates[0].config.checkpoint_at)
            rungs[arm].replay(trial_folder(store.folder, trial) for trial in candidates)
        states = {trial.key: trial_folder(store.folder, trial).state() for trial in plan.trials}
        waiting = {t.key for t in todo if 0 < states[t.key].images == rungs[t.arm].last_rung(t.key)}
        # Those that were not begun, or were interrupted between two rungs.
        new = [trial.key for trial in todo if trial.key not in waiting]
        whole = [key for key, state in states.items() if state.state == "COMPLETED"]
        arms = {trial.key: trial.arm for trial in plan.trials}
        fits = {"fits": limit.fits} if limit else {}
        self.halving = Halving(arms, rungs, new, waiting, is_last, whole, plan.search.finalists, **fits)
        if limit:
            limit.check(self.halving)

    def came(self, key: str, images: int, metrics: dict[str, Any]) -> bool:
        """Record what a running candidate reports; whether it goes on."""
        if images >= self._trials[key].config.images:
            self.halving.ended(key, whole=True)
            return True
        found = measured(images, metrics)
        if found is None or self.halving.came(key, found):
            return True
        self._write("PAUSED", key)
        return False

    def stop_waiting(self) -> None:
        """End the candidates that wait, if none of them can go on any more. Those that a limit leaves at their rungs stay."""
        if self.halving.waiting and self.halving.is_last() and not self.halving.is_closed:
            for key in sorted(self.halving.waiting):
                self._write("STOPPED", key)
            self.halving.waiting.clear()

    def _write(self, state: State, key: str) -> None:
        # The trial's process waits in its report meanwhile, or has ended, so there is no other writer.
        with self._store.trial(key) as trial:
            found = trial.folder.state()
            if found.state not in FINAL:
                trial.folder.write_state(state, images=found.images, seconds=found.seconds, passes=found.passes)
                trial.publish(now=True)


class PauseAtRungs(FIFOScheduler):  # type: ignore[misc]
    """Ends what Tune calls a trial where its candidate has to wait."""

    def __init__(self, search: RunningSearch) -> None:
        super().__init__()
        self._search = search

    def on_trial_result(self, tune_controller: Any, trial: TuneTrial, result: dict[str, Any]) -> str:
        (key,) = trial.config["keys"]
        goes_on = self._search.came(key, int(result["images"]), result)
        return str(TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP)


class CandidatesToRun(Searcher):  # type: ignore[misc]
    """Tells Tune which candidate to run next, `max_concurrent` at a time."""

    def __init__(self, search: RunningSearch, *, max_concurrent: int) -> None:
        super().__init__()
        self._search, self.max_concurrent = search, max_concurrent
        self._running: dict[str, str] = {}

    def suggest(self, trial_id: str) -> dict[str, list[str]] | str | None:
        if len(self._running) >= self.max_concurrent:
            return None
        key = self._search.halving.next()
        if key is not None:
            self._running[trial_id] = key
            return {"keys": [key]}
        if self._running:
            return None
        self._search.stop_waiting()
        return str(Searcher.FINISHED)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        if (key := self._running.pop(trial_id, None)) is not None:
            self._search.halving.ended(key)

    def save(self, checkpoint_path: str) -> None:
        """Nothing is saved: what candidates have written says where a search is."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing is restored either."""
