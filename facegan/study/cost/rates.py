"""Images/s by arm and the fixed seconds of a trial: given, from earlier trials, or scaled by GFLOP."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from statistics import mean, median

from facegan.config import Config
from facegan.study.cost.timing import read_timing
from facegan.study.design.plan import WARM_UP, Plan
from facegan.study.folder.trial_folder import TrialFolder, trial_folder


@dataclass(frozen=True, slots=True)
class FixedSeconds:
    """What a trial and a study take beside training."""

    start: float
    """Of a trial: networks, input, and the first use of its process."""
    checkpoint: float
    """Of each checkpoint, with validation and a sample grid."""
    scoring: float
    """Of the end of a trial."""
    study: float
    """Once: until the first trial starts, with the experiment tracker."""
    source: str
    assumed: bool = False
    """Whether any part of a trial is assumed."""


ASSUMED_SECONDS = FixedSeconds(3.0, 1.5, 8.0, 20.0, "ASSUMED, as on two CPU cores at the size of the preset demo", True)


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast trials train, one of as many as run at once."""

    images_per_second: dict[str, float]
    """Of a trial, by arm, `WARM_UP` for the warm-ups; arms that are not known are missing."""
    device: str
    """'cpu', the name of a GPU, or '' where the user gave the rate."""
    source: str
    fixed: FixedSeconds = field(default=ASSUMED_SECONDS)

    def scaled(self, gflop: Mapping[str, float]) -> "Rates":
        """With every arm of `gflop` (GFLOP per image): those that are missing get the mean GFLOP/s of those that are known."""
        known = [rate * gflop[arm] for arm, rate in self.images_per_second.items() if arm in gflop]
        if not known:
            return self
        guessed = {arm: mean(known) / each for arm, each in gflop.items() if arm not in self.images_per_second}
        note = f"; {len(guessed)} of {len(gflop)} arms by GFLOP" if guessed else ""
        return replace(self, images_per_second={**self.images_per_second, **guessed}, source=self.source + note)


def rates_of_study(plan: Plan, study: Path, wanted: Mapping[str, Config]) -> Rates | None:
    """The rates of those of a study's trials that train as the `wanted` configurations do, by arm; None if there are none.

    Weights of terms, seeds and counts of images do not change what an image costs, but which terms are on does.
    """
    trials = [*plan.warm_ups(), *plan.trials]
    folders = {trial.key: trial_folder(study, trial) for trial in trials}
    rates: dict[str, float] = {}
    device = ""
    for arm, config in wanted.items():
        alike = [trial for trial in trials if cost_of(trial.config) == cost_of(config)]
        states = [folders[trial.key].state() for trial in alike]
        seconds, images = sum(state.seconds for state in states), sum(state.images for state in states)
        if seconds and images:
            rates[arm] = images / seconds
            device = device or next((d for trial in alike if (d := folders[trial.key].conditions().device)), "")
    if not rates:
        return None
    return Rates(rates, device, f"measured in {study.name}, {len(rates)} arms", _fixed_seconds(plan, folders, study.name))


def cost_of(config: Config) -> Config:
    """The configuration with one value for all that does not decide the seconds of an image."""
    same = {"seed": 0, "images": config.optim.batch, "warm_up": 0, "start": "random", "vgg.weights": "random", "vgg.seed": 0}
    same |= {"report_every": config.optim.batch, "checkpoint_every": config.optim.batch, "checkpoint_at": []}
    same |= {f"loss.{term}": float(bool(weight)) for term, weight in config.loss.weights().items()}
    same |= {"data.validation_fraction": 0.0, "optim.generator_lr": 1e-3, "optim.discriminator_lr": 1e-3}
    return config.override(same)


def _fixed_seconds(plan: Plan, folders: Mapping[str, TrialFolder], name: str) -> FixedSeconds:
    """The median of the checkpoints, and means over the trials that ran without an interruption; other parts are assumed.

    Candidates of a search are not scored, and wait at their rungs, where they have their checkpoints.
    """
    assumed, starts, between, rests = ASSUMED_SECONDS, list[float](), list[float](), list[tuple[float, int]]()
    for trial in (*plan.warm_ups(), *plan.trials):
        folder = folders[trial.key]
        rows, timing = folder.rows(), read_timing(folder)
        pauses = [
            max(0.0, (later.time - row.time) - (later.seconds - row.seconds))
            for row, later in pairwise(rows)
            if any(metric.startswith("validation/") for metric in row.metrics)
        ]
        between += pauses if plan.search is None else []
        if timing is None or not rows:
            continue
        starts.append(max(0.0, rows[0].time - timing.started - rows[0].seconds))
        if trial.arm != WARM_UP and plan.search is None:
            rests.append((timing.seconds - timing.trained_seconds - starts[-1], len(pauses) + 1))
    # Between two rows there may also be an interruption, or the clocks of two machines.
    checkpoint = median(between) if between else assumed.checkpoint
    if not starts or not rests:
        measured = [part for part, found in (("starts", starts), ("checkpoints", between)) if found]
        source = f"{' and '.join(measured)} measured in {name}, else {assumed.source}" if measured else assumed.source
        return replace(assumed, start=mean(starts) if starts else assumed.start, checkpoint=checkpoint, source=source)
    scoring = mean(max(0.0, rest - count * checkpoint) for rest, count in rests)
    return FixedSeconds(mean(starts), checkpoint, scoring, assumed.study, f"measured in {name}; the study ASSUMED")
