"""Which trials still fit into --max_hours or --max_usd."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facegan.study.cost.estimate import arm_configs
from facegan.study.cost.rates import Rates, rates_of_study
from facegan.study.cost.schedule import makespan, seconds_of_trial
from facegan.study.cost.spending import Spending, read_spending
from facegan.study.design.plan import Plan, Trial
from facegan.study.folder.trial_folder import trial_folder

REPORT_SECONDS = 20.0
"""In which the driver draws the figures and writes the report afterwards."""
MARGIN = 1.1
"""By which a trial may take longer than estimated and still end within the limit."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of a study's hours and dollars, over all jobs that worked on it."""

    plan: Plan
    study: Path
    max_seconds: float | None
    max_usd: float | None
    rates: Rates | None
    """What was known before the first trial."""

    def flag(self) -> str:
        """The limit that is nearest, as it is given on the command line."""
        of_hours, of_usd = self._parts(read_spending(self.study))
        if of_usd < of_hours:
            return f"--max_usd {self.max_usd:g}"
        return f"--max_hours {(self.max_seconds or 0) / 3600:g}"

    def at_least(self, seconds: float) -> str:
        """The flags that leave so many seconds from now, rounded up."""
        spent, hours = read_spending(self.study), seconds / 3600
        asked = {
            "--max_hours": (self.max_seconds and self.max_seconds / 3600, spent.seconds / 3600 + hours),
            "--max_usd": (self.max_usd, (spent.usd or 0.0) + hours * (spent.usd_per_hour or 0.0)),
        }
        raised = {
            name: max(given, math.ceil(100 * need + 1) / 100) for name, (given, need) in asked.items() if given is not None
        }
        return " ".join(f"{name} {value:g}" for name, value in raised.items())

    def seconds_left(self) -> float:
        """Seconds until the limit, at the price of the nodes that are there now; below 0 once it is passed."""
        return min(self._parts(read_spending(self.study)))

    def passed(self) -> bool:
        """Whether running trials end at their next checkpoint."""
        return self.seconds_left() <= 0

    def _parts(self, spent: Spending) -> tuple[float, float]:
        endless = float("inf")
        of_hours = endless if self.max_seconds is None else self.max_seconds - spent.seconds
        if self.max_usd is None or not spent.usd_per_hour:
            return of_hours, endless
        return of_hours, (self.max_usd - (spent.usd or 0.0)) / spent.usd_per_hour * 3600

    def rates_now(self) -> Rates | None:
        """What the study's own trials show so far; for other arms what was known before."""
        own = rates_of_study(self.plan, self.study, arm_configs(self.plan))
        if own is None or self.rates is None:
            return own or self.rates
        both = {**self.rates.images_per_second, **own.images_per_second}
        known_whole = own.fixed.assumed and not self.rates.fixed.assumed
        return Rates(both, own.device, own.source, self.rates.fixed if known_whole else own.fixed)

    def fits(self, trial: Trial) -> bool:
        """Whether a trial that starts now ends within the limit. One of which nothing is known does."""
        left, rates = self._left_for_trials(), self.rates_now()
        seconds = self._still(trial, rates)
        return left > 0 and (seconds is None or MARGIN * seconds <= left)

    def whole_seeds(self, todo: Sequence[Trial], at_once: int) -> list[Trial]:
        """The first of these trials: as many whole seeds as fit, because effects are differences within a seed.

        Where not even one fits and no seed has been trained, those trials of the first seed that fit.
        """
        rates, left = self.rates_now(), self._left_for_trials()
        if left <= 0:
            return []
        seeds = list(dict.fromkeys(trial.seed for trial in todo))
        chosen: list[Trial] = []
        for count in range(1, len(seeds) + 1):
            first = [trial for trial in todo if trial.seed in seeds[:count]]
            if self._seconds(first, seeds[:count], rates, at_once) > left:
                break
            chosen = first
        if chosen or self._has_results():
            return chosen
        fitting: list[Trial] = []
        for trial in (trial for trial in todo if trial.seed == seeds[0]):
            if self._seconds([*fitting, trial], seeds[:1], rates, at_once) > left:
                break
            fitting.append(trial)
        return fitting

    def _seconds(self, trials: Sequence[Trial], seeds: Sequence[int], rates: Rates | None, at_once: int) -> float:
        """Of trials and the warm-ups of their seeds, with the margin; those of which nothing is known count as nothing."""
        warm_ups = [run for seed in seeds if (run := self.plan.warm_up(seed)) and self._state(run) != "COMPLETED"]
        phases = ([self._still(run, rates) or 0.0 for run in runs] for runs in (warm_ups, trials))
        return MARGIN * sum(makespan(lengths, at_once) for lengths in phases)

    def _still(self, trial: Trial, rates: Rates | None) -> float | None:
        """Seconds that a trial still takes from its last checkpoint, as far as the rates say."""
        seconds = seconds_of_trial(self.plan, trial, rates) if rates else None
        if seconds is None or rates is None:
            return None
        done = trial_folder(self.study, trial).state().seconds
        return max(seconds - done, rates.fixed.scoring)

    def _left_for_trials(self) -> float:
        return self.seconds_left() - REPORT_SECONDS

    def _has_results(self) -> bool:
        return any(self._state(trial) == "COMPLETED" for trial in self.plan.trials)

    def _state(self, trial: Trial) -> str:
        return trial_folder(self.study, trial).state().state
