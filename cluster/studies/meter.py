"""What a job spends on a study: cost.json is kept up to date while it runs, and its limits are read from there."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from cluster.runtime.resource_flags import TrialResources
from cluster.runtime.ticker import every
from cluster.storage.patience import when_reachable
from cluster.studies.cost_flags import CostFlags
from cluster.studies.present_cluster import price_now
from cluster.studies.rates import known_rates, probe_for_limit
from cluster.studies.study_store import StudyStore
from facegan.errors import UserError
from facegan.report.plan_page import limit_line
from facegan.study.cost.estimate import arm_configs
from facegan.study.cost.limit import Limit
from facegan.study.cost.schedule import whole_runs
from facegan.study.cost.spending import COST, Forecast, Spending, read_spending, write_spending
from facegan.study.design.plan import Plan
from facegan.study.folder.trial_folder import trial_folder
from facegan.study.search.expectation import expected_work
from facegan.study.search.generations import next_generation, with_all_candidates

_EVERY_SECONDS = 5.0


@contextmanager
def metered(plan: Plan, store: StudyStore, flags: CostFlags, resources: TrialResources) -> Iterator[None]:
    """Write cost.json: before the block what the trials will take, while it runs what is spent, and at its end what is missing.

    With a limit the speed of the arms is measured first, unless it is known. Ray is running. Raises UserError for a limit in
    dollars where nothing has a price.
    """
    if flags.max_usd is not None and price_now(flags.usd_per_hour) is None:
        raise UserError(f"--max_usd is {flags.max_usd:g}: the nodes have no list price; give that of one with --usd_per_hour")
    meter = _Meter(store, flags)
    with every(_EVERY_SECONDS, meter.tick, meter.tick):
        probe_for_limit(flags, arm_configs(plan), resources, store.folder)
        meter.forecast(plan, resources.at_most())
        yield
    meter.end(plan)
    if store.location.is_remote:
        when_reachable(lambda: store.location.write(COST, (store.folder / COST).read_bytes()))


class _Meter:
    """Adds the seconds and dollars of this job to those of earlier jobs on the same study."""

    def __init__(self, store: StudyStore, flags: CostFlags) -> None:
        self._store, self._flags = store, flags
        self._counted, self._lock = time.monotonic(), threading.Lock()

    def tick(self) -> None:
        """Count the time since the last call."""
        self._write(lambda spent: spent)

    def forecast(self, plan: Plan, at_once: int) -> None:
        """Write what the study will take, of a search what is expected, unless that was written for as many trials before."""
        plan = with_all_candidates(plan) if plan.search else plan
        todo = self._store.not_ended(plan.run_order())
        spent = read_spending(self._store.folder)
        if not todo or (spent.forecast is not None and spent.forecast.trials == len(plan.trials)):
            return
        rates = known_rates(self._flags, arm_configs(plan), self._store.folder)
        seeds = dict.fromkeys(trial.seed for trial in todo)
        warm_ups = self._store.not_ended(run for seed in seeds if (run := plan.warm_up(seed)))
        work_of = partial(expected_work, study=self._store.folder) if plan.search else whole_runs
        work = work_of(plan, todo, warm_ups, rates, at_once)
        if work.wall_seconds is None or rates is None:
            return
        seconds = work.wall_seconds + rates.fixed.study
        price = price_now(self._flags.usd_per_hour)
        usd = None if price is None else (spent.usd or 0.0) + seconds / 3600 * price
        trained = sum(trial_folder(self._store.folder, run).state().images for run in (*plan.warm_ups(), *plan.trials))
        images = [trained, *work.images.values()]
        expected = None if None in images else sum(count or 0 for count in images)
        forecast = Forecast(len(plan.trials), spent.seconds + seconds, usd, rates.source, expected)
        self._write(lambda now: replace(now, forecast=forecast))

    def end(self, plan: Plan) -> None:
        """Note whether trials are left because of a limit, and say so."""
        # Candidates that wait at a rung for those of the next generation are not missing.
        others = {"FAILED", "PAUSED"} if plan.search and next_generation(plan, self._store.folder) else {"FAILED"}
        left = self._store.not_ended(plan.trials)
        missing = [trial for trial in left if trial_folder(self._store.folder, trial).state().state not in others]
        limit = cost_limit(plan, self._store, self._flags) if missing else None
        flag = limit.flag() if limit else ""
        self._write(lambda spent: replace(spent, limit=flag))
        if flag:
            print(limit_line(flag, len(missing), len(plan.trials), is_search=plan.search is not None), flush=True)

    def _write(self, change: Callable[[Spending], Spending]) -> None:
        with self._lock:
            now = time.monotonic()
            spent = read_spending(self._store.folder).after(now - self._counted, price_now(self._flags.usd_per_hour))
            self._counted = now
            write_spending(self._store.folder, change(spent))


def cost_limit(plan: Plan, store: StudyStore, flags: CostFlags) -> Limit | None:
    """The limit that the flags set, if they do."""
    if not flags.limited:
        return None
    seconds = None if flags.max_hours is None else 3600 * flags.max_hours
    rates = known_rates(flags, arm_configs(plan), store.folder)
    return Limit(plan, store.folder, seconds, flags.max_usd, rates)
