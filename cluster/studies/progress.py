"""The console's view of a running study: reads the study folder, prints one line now and then, and lets MLflow see it too."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.runtime.ticker import every
from facegan.study.design.plan import Plan, Trial
from facegan.study.folder.trial_folder import FINAL, trial_folder

_LINE_EVERY_SECONDS = 10.0
_LINES_AN_AGE = 60
"""Lines grow rarer with the study's age, so that the log of an hour still fits a few screens."""
_LOOK_EVERY_SECONDS = 5.0


@contextmanager
def following(plan: Plan, study: Path, sync: Callable[[], None]) -> Iterator[None]:
    """While the body runs, print progress and call `sync` from one thread; what fails there is printed and tried again."""
    line = _ProgressLine(plan, study)
    started = said = time.monotonic()
    printed = ""

    def look() -> None:
        nonlocal said, printed
        _try(sync)
        now = time.monotonic()
        if now - said >= max(_LINE_EVERY_SECONDS, (now - started) / _LINES_AN_AGE):
            said, printed = now, line.text()
            print(printed, flush=True)

    def end() -> None:
        _try(sync)
        if not printed.startswith("train    100%"):
            print(line.text(), flush=True)

    with every(_LOOK_EVERY_SECONDS, look, end):
        yield


def _try(sync: Callable[[], None]) -> None:
    # A view that cannot be written must not end what it shows. It is told each time, and the last `sync` of a study, after
    # its report is written, raises.
    try:
        sync()
    except Exception as error:
        print(f"view     cannot be brought up to date now: {type(error).__name__}: {str(error).splitlines()[:1]}", flush=True)


class _ProgressLine:
    """Images seen of all to see (or seconds of training, by the budget), the rate, the time left, and where each arm is."""

    def __init__(self, plan: Plan, study: Path) -> None:
        self.plan, self.study = plan, study
        self.started = time.monotonic()
        self.images_before = sum(self._images(t) for t in plan.trials)
        self.done_before = sum(self._done(t) for t in plan.trials)

    def text(self) -> str:
        done = sum(self._done(t) for t in self.plan.trials)
        todo = sum(self._goal(t) - self._done(t) for t in self.plan.trials if self._state(t) not in FINAL)
        elapsed = time.monotonic() - self.started
        rate = (done - self.done_before) / elapsed
        images_a_second = (sum(self._images(t) for t in self.plan.trials) - self.images_before) / elapsed
        eta = duration(todo / rate) if rate > 0 else "-"
        share, unit = done / max(1, done + todo), "images" if self.plan.budget.seconds is None else "s of training"
        arms = "  ".join(f"{arm.label} {self._share(arm.name):.0%}" for arm in self.plan.arms)
        return (
            f"train    {share:4.0%}  {done:.0f}/{done + todo:.0f} {unit}  {images_a_second:.0f} images/s  ETA {eta}  |  {arms}"
        )

    def _share(self, arm: str) -> float:
        trials = [t for t in self.plan.trials if t.arm == arm]
        done = sum(self._goal(t) if self._state(t) in FINAL else self._done(t) for t in trials)
        return done / sum(self._goal(t) for t in trials)

    def _goal(self, trial: Trial) -> float:
        return trial.config.images if self.plan.budget.seconds is None else self.plan.budget.seconds

    def _done(self, trial: Trial) -> float:
        if self.plan.budget.seconds is None:
            return self._images(trial)
        # The last report comes a little after the seconds are spent.
        return min(self.plan.budget.seconds, float(trial_folder(self.study, trial).state().seconds))

    def _images(self, trial: Trial) -> int:
        return int(trial_folder(self.study, trial).state().images)

    def _state(self, trial: Trial) -> str:
        return str(trial_folder(self.study, trial).state().state)


def duration(seconds: float) -> str:
    """3725 -> '1 h 2 min'."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
