"""ASHA on Ray Tune: which candidate runs next, what is paused and stopped, and the same after an interruption."""

from dataclasses import replace
from pathlib import Path

import pytest

from cluster.storage.uri import StorageURI
from cluster.studies.asha import CandidatesToRun, RunningSearch
from cluster.studies.study_store import StudyStore
from facegan.config import Config
from facegan.errors import UserError
from facegan.study.cost.limit import Limit
from facegan.study.cost.rates import Rates
from facegan.study.cost.spending import Spending, write_spending
from facegan.study.design.plan import Plan
from facegan.study.folder.study_folder import open_study
from facegan.study.folder.trial_folder import MetricsRow, trial_folder
from facegan.study.search.limit import SearchLimit
from tests.facegan.study.search.planted_search import IMAGES, RUNGS, candidates_plan
from tests.known import known

pytestmark = pytest.mark.ray


class Search:
    """A search whose candidates 0 to 5 measure what `scores` say, at every rung."""

    def __init__(
        self, root: Path, config: Config, *arms: str, candidates: int = 6, is_last: bool = True, finalists: int = 1
    ) -> None:
        plan = candidates_plan(config, *arms, candidates=candidates)
        self.plan: Plan = replace(plan, search=replace(known(plan.search), finalists=finalists))
        self.store, self.is_last = StudyStore(StorageURI(str(root))), is_last
        open_study(root, self.plan)
        self.names = {trial.key: f"{trial.arm} {trial.candidate}" for trial in self.plan.trials}
        self.running = self.again()

    def again(self) -> RunningSearch:
        todo = self.store.not_ended(self.plan.trials)
        return RunningSearch(self.plan, todo, self.store, lambda: self.is_last)

    def run(self, key: str, score: float) -> str:
        """Train a candidate until it is paused or ends; its state then."""
        folder = trial_folder(self.store.folder, next(trial for trial in self.plan.trials if trial.key == key))
        folder.path.mkdir(parents=True, exist_ok=True)
        for images in (*RUNGS, IMAGES):
            if images <= folder.state().images:
                continue
            metrics = {"validation/target_following": 1 - score, "validation/identity_kept": 1 - score}
            metrics |= {"validation/image_distance": score, "validation/selection_score": 3 * score}
            folder.append_row(MetricsRow(images, 1.0, float(images), metrics))
            folder.write_state("COMPLETED" if images == IMAGES else "RUNNING", images=images, seconds=1.0, passes={})
            if not self.running.came(key, images, metrics):
                break
        return folder.state().state

    def states(self) -> dict[str, tuple[str, int]]:
        found = {self.names[t.key]: trial_folder(self.store.folder, t).state() for t in self.plan.trials}
        return {name: (state.state, state.images) for name, state in found.items()}


SCORES = {0: 0.5, 1: 0.4, 2: 0.3, 3: 0.9, 4: 0.8, 5: 0.2}


def run_all(search: Search, most: int = 100) -> list[str]:
    """Run what comes next, one at a time; the names in the order in which they ran."""
    ran = list[str]()
    while len(ran) < most and (key := search.running.halving.next()) is not None:
        ran.append(search.names[key])
        search.run(key, SCORES[int(ran[-1].split()[1])])
    return ran


def test_candidates_wait_at_rungs_and_the_best_third_goes_on(tmp_path: Path, tiny: Config) -> None:
    search = Search(tmp_path, tiny, "full")
    first = run_all(search, 2)
    assert first == ["full 0", "full 1"] and set(search.states().values()) == {("PAUSED", 24), ("PENDING", 0)}
    ran = run_all(search)
    # 2 is the best of three and trains on to the next rung at once; 5 is the last, and the best of all.
    assert ran == ["full 2", "full 3", "full 4", "full 5"]
    search.running.stop_waiting()
    states = search.states()
    assert states.pop("full 5") == ("COMPLETED", IMAGES) and states.pop("full 2") == ("STOPPED", RUNGS[1])
    assert set(states.values()) == {("STOPPED", RUNGS[0])}


def test_while_more_candidates_will_be_proposed_the_others_wait(tmp_path: Path, tiny: Config) -> None:
    search = Search(tmp_path, tiny, "full", candidates=2, is_last=False)
    assert run_all(search) == ["full 0", "full 1"]
    search.running.stop_waiting()
    assert set(search.states().values()) == {("PAUSED", 24)}
    search.is_last = True
    search.running = search.again()
    assert run_all(search) == ["full 1"], "the better one goes on to the end"
    search.running.stop_waiting()
    assert search.states() == {"full 0": ("STOPPED", 24), "full 1": ("COMPLETED", IMAGES)}


def test_as_many_candidates_as_finalists_train_to_the_end_of_each_arm(tmp_path: Path, tiny: Config) -> None:
    search = Search(tmp_path, tiny, "full", "no_pixel", finalists=2)
    run_all(search, 12)
    search.running = search.again()  # one that has trained to the end counts after an interruption
    run_all(search)
    completed = {name for name, (state, _) in search.states().items() if state == "COMPLETED"}
    assert completed == {"full 5", "full 2", "no_pixel 5", "no_pixel 2"}


def test_arms_are_not_compared_with_each_other(tmp_path: Path, tiny: Config) -> None:
    search = Search(tmp_path, tiny, "full", "no_pixel", candidates=2)
    run_all(search)
    completed = [name for name, (state, _) in search.states().items() if state == "COMPLETED"]
    assert completed == ["no_pixel 1", "full 1"]


def test_an_interrupted_search_goes_on_where_it_was(tmp_path: Path, tiny: Config) -> None:
    search = Search(tmp_path, tiny, "full")
    run_all(search, 4)
    interrupted = search.plan.trials[4]
    folder = trial_folder(tmp_path, interrupted)
    folder.path.mkdir(parents=True)
    folder.append_row(MetricsRow(8, 1.0, 1.0, {"loss/pixel": 1.0}))
    folder.write_state("RUNNING", images=8, seconds=1.0, passes={})
    search.running = search.again()
    assert search.running.halving.new == [interrupted.key, search.plan.trials[5].key]
    assert run_all(search)[:2] == ["full 4", "full 5"]
    search.running.stop_waiting()
    alone = Search(tmp_path / "alone", tiny, "full")
    run_all(alone)
    alone.running.stop_waiting()
    assert search.states() == alone.states()


def test_tune_is_told_of_as_many_as_may_run_and_of_the_end(tmp_path: Path, tiny: Config) -> None:
    search = Search(tmp_path, tiny, "full", candidates=3, is_last=False)
    source = CandidatesToRun(search.running, max_concurrent=2)
    first, second = (source.suggest(name) for name in "ab")
    assert isinstance(first, dict) and isinstance(second, dict) and source.suggest("c") is None
    assert search.running.halving.running == {*first["keys"], *second["keys"]}
    assert search.run(first["keys"][0], 0.5) == "PAUSED"
    source.on_trial_complete("a")
    third = source.suggest("c")
    assert isinstance(third, dict) and search.run(third["keys"][0], 0.4) == "PAUSED"
    source.on_trial_complete("c")
    assert source.suggest("d") is None, "the others wait for the one that runs"
    search.is_last = True
    assert search.run(second["keys"][0], 0.1) == "COMPLETED"
    source.on_trial_complete("b")
    assert source.suggest("d") == "FINISHED"
    assert [state for state, _ in search.states().values()] == ["STOPPED", "COMPLETED", "STOPPED"]


def test_nothing_is_started_or_stopped_beyond_a_limit(tmp_path: Path, tiny: Config) -> None:
    search = Search(tmp_path, tiny, "full", candidates=2)
    limit = SearchLimit(Limit(search.plan, tmp_path, 1000.0, None, Rates({"full": 8.0}, "cpu", "")), 1, 2)
    running = RunningSearch(search.plan, search.plan.trials, search.store, lambda: True, limit)
    write_spending(tmp_path, Spending(seconds=1000.0))
    assert CandidatesToRun(running, max_concurrent=2).suggest("a") == "FINISHED"
    assert set(search.states().values()) == {("PENDING", 0)}


def test_a_limit_that_leaves_no_time_for_a_search_is_refused(tmp_path: Path, tiny: Config) -> None:
    search = Search(tmp_path, tiny, "full", candidates=2)
    limit = SearchLimit(Limit(search.plan, tmp_path, 10.0, None, Rates({"full": 8.0}, "cpu", "")), 1, 2)
    with pytest.raises(UserError, match="too little"):
        RunningSearch(search.plan, search.plan.trials, search.store, lambda: True, limit)


def test_candidates_that_a_limit_leaves_at_a_rung_are_not_said_to_be_stopped(tmp_path: Path, tiny: Config) -> None:
    search = Search(tmp_path, tiny, "full", candidates=3)
    run_all(search, 2)
    limit = SearchLimit(Limit(search.plan, tmp_path, 1000.0, None, Rates({"full": 8.0}, "cpu", "")), 1, 2)
    write_spending(tmp_path, Spending(seconds=1000.0))
    running = RunningSearch(search.plan, search.store.not_ended(search.plan.trials), search.store, lambda: True, limit)
    assert CandidatesToRun(running, max_concurrent=2).suggest("a") == "FINISHED"
    assert list(search.states().values()) == [("PAUSED", RUNGS[0])] * 2 + [("PENDING", 0)]
