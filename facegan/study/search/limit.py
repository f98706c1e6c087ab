"""What of a search fits into --max_hours or --max_usd, if its finalists shall fit too."""

from dataclasses import dataclass

from facegan.errors import UserError
from facegan.study.cost.limit import MARGIN, REPORT_SECONDS, Limit
from facegan.study.cost.rates import Rates
from facegan.study.cost.schedule import makespan, seconds_of_stretch
from facegan.study.design.plan import Trial
from facegan.study.search.halving import Halving


@dataclass(frozen=True, slots=True)
class SearchLimit:
    """The limit of a search and its finalists together."""

    limit: Limit
    """Its plan is that of the candidates."""
    seeds: int
    """That the finalists are trained with."""
    at_once: int

    def passed(self) -> bool:
        """Whether running candidates end at their next checkpoint, because the finalists have to begin."""
        return self._left(self.limit.rates_now()) <= 0

    def fits(self, search: Halving, key: str, *, needed: bool) -> bool:
        """Whether a candidate may run to its next rung.

        Enough of each arm must then still come to the end, of those that have come furthest, unless it is one of these: it is
        `needed`. One of which nothing is known fits.
        """
        rates = self.limit.rates_now()
        left, seconds = self._left(rates), None if needed else self._seconds(search, {*search.running, key}, rates)
        return left > 0 and (seconds is None or MARGIN * seconds <= left)

    def check(self, search: Halving) -> None:
        """Raise UserError if not as many candidates of each arm as there are finalists fit, and none has begun yet."""
        rates = self.limit.rates_now()
        seconds = self._seconds(search, set(), rates)
        begun = any(there for rungs in search.rungs.values() for there in rungs.rungs.values())
        if seconds is None or begun or MARGIN * seconds <= self._left(rates):
            return
        assert self.limit.plan.search is not None, "a plan without candidates"
        count = self.limit.plan.search.finalists
        enough = self.limit.at_least(MARGIN * seconds + self._reserve(rates))
        raise UserError(
            f"{self.limit.flag()} is too little: {count} whole candidate{'s' * (count > 1)} of each arm and the finalists with "
            f"{self.seeds} seed{'s' * (self.seeds > 1)} take longer; give {enough}, "
            "or fewer --arms, --seeds or --images"
        )

    def _left(self, rates: Rates | None) -> float:
        return self.limit.seconds_left() - self._reserve(rates)

    def _seconds(self, search: Halving, running: set[str], rates: Rates | None) -> float | None:
        """Until these have come to their next rungs, and enough of each arm to their ends; None if a rate is not known."""
        if rates is None:
            return None
        trials = {trial.key: trial for trial in self.limit.plan.trials}
        at = {key: search.rungs[search.arms[key]].last_rung(key) for key in (*search.waiting, *running)}
        ends = {key: _next_stop(trials[key], at[key]) for key in running}
        for arm in search.rungs:
            begun = sorted((key for key in at if search.arms[key] == arm), key=lambda key: -ends.get(key, at[key]))
            new = [key for key in search.new if search.arms[key] == arm and key not in at]
            for key in [*begun, *new][: search.needed(arm)]:
                ends[key] = trials[key].config.images
        lengths = [seconds_of_stretch(trials[k], at.get(k, 0), end, rates, starts=True) for k, end in ends.items()]
        known = [length for length in lengths if length is not None]
        return makespan(sorted(known, reverse=True), self.at_once) if len(known) == len(lengths) else None

    def _reserve(self, rates: Rates | None) -> float:
        """Seconds of the study that trains the finalists beside the arms as configured, at most."""
        if rates is None:
            return 0.0
        plan, fixed = self.limit.plan, rates.fixed
        assert plan.search is not None, "a plan without candidates"
        first = {trial.arm: trial for trial in plan.trials if not trial.candidate}.values()
        whole = [seconds_of_stretch(trial, 0, trial.config.images, rates, starts=True) or 0.0 for trial in first]
        runs = [seconds + fixed.scoring for seconds in whole for _ in range(self.seeds * (plan.search.finalists + 1))]
        warm_up = plan.warm_ups()[:1] * self.seeds
        warm = [seconds_of_stretch(run, 0, run.config.images, rates, starts=True) or 0.0 for run in warm_up]
        return MARGIN * (makespan(warm, self.at_once) + makespan(runs, self.at_once)) + fixed.study + 2 * REPORT_SECONDS


def _next_stop(trial: Trial, images: int) -> int:
    return next(stop for stop in (*trial.config.checkpoint_at, trial.config.images) if stop > images)
