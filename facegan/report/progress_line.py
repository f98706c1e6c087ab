"""The progress of a running study as one line of text."""

import time
from pathlib import Path

from facegan.report.formatting import duration
from facegan.study.design.plan import Plan, Trial
from facegan.study.folder.trial_folder import FINAL, trial_folder


class ProgressLine:
    """Progress of all trials, read from the study folder.

    Progress is counted in images, or in seconds of training if these are the budget. The rate is that since construction.
    """

    def __init__(self, plan: Plan, study: Path) -> None:
        self.plan, self.study = plan, study
        self.started = time.monotonic()
        self.images_before = sum(self._images(trial) for trial in plan.trials)
        self.done_before = sum(self._done(trial) for trial in plan.trials)

    def text(self) -> str:
        """Share done, amount, images per second, remaining time, and the share of each arm; first those of the warm-ups."""
        warm_ups = self.plan.warm_ups()
        if any(self._state(run) not in FINAL for run in warm_ups):
            done, todo = (sum(of(run) for run in warm_ups) for of in (self._images, lambda run: run.config.images))
            return f"warm-up  {done / todo:4.0%}  {done}/{todo} images of {len(warm_ups)} runs that the arms branch from"
        done = sum(self._done(trial) for trial in self.plan.trials)
        todo = sum(self._goal(trial) - self._done(trial) for trial in self.plan.trials if self._state(trial) not in FINAL)
        elapsed = time.monotonic() - self.started
        images = sum(self._images(trial) for trial in self.plan.trials)
        # A resumed trial goes back to its last checkpoint, behind what was counted when this began.
        self.images_before, self.done_before = min(self.images_before, images), min(self.done_before, done)
        rate, images_per_second = (done - self.done_before) / elapsed, (images - self.images_before) / elapsed
        waiting = [trial for trial in self.plan.trials if self._state(trial) not in FINAL]
        eta = f"ETA {duration(todo / rate) if rate > 0 else '-'}" if todo or not waiting else "scoring the last trials"
        share, unit = done / max(1, done + todo), "images" if self.plan.budget.seconds is None else "s of training"
        arms = "  ".join(f"{arm.label} {self._share(arm.name):.0%}" for arm in self.plan.arms)
        amount = f"{share:4.0%}  {done:.0f}/{done + todo:.0f} {unit}"
        return f"train    {amount}  {images_per_second:.0f} images/s  {eta}  |  {arms}"

    @staticmethod
    def is_over(text: str) -> bool:
        """Whether a line says that all trials have ended."""
        return text.startswith("train    100%") and "  ETA 0 s  " in text

    def _share(self, arm: str) -> float:
        trials = [trial for trial in self.plan.trials if trial.arm == arm]
        done = sum(self._goal(trial) if self._state(trial) in FINAL else self._done(trial) for trial in trials)
        return done / sum(self._goal(trial) for trial in trials)

    def _goal(self, trial: Trial) -> float:
        return trial.config.images if self.plan.budget.seconds is None else self.plan.budget.seconds

    def _done(self, trial: Trial) -> float:
        if self.plan.budget.seconds is None:
            return self._images(trial)
        # A run ends at the first report after its budget, so its time can exceed the budget.
        return min(self.plan.budget.seconds, float(trial_folder(self.study, trial).state().seconds))

    def _images(self, trial: Trial) -> int:
        return int(trial_folder(self.study, trial).state().images)

    def _state(self, trial: Trial) -> str:
        return str(trial_folder(self.study, trial).state().state)
