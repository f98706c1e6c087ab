"""The runs of a study for one metric: those that the analysis uses, those that are missing, and how much these could matter."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegan.study.analysis.effect_records import MissingRun
from facegan.study.analysis.model import Floats, Model, center_within_blocks
from facegan.study.design.two_level import Row

_MIN_MEASURED_SHARE = 0.5
"""A run that is measured on a smaller share of the clips counts as missing: its clips are not a fair sample."""


@dataclass(frozen=True, slots=True)
class Run:
    """A planned training run as the analysis sees it."""

    arm: str
    seed: int
    levels: Row
    """Levels of the arm's factors."""
    state: str
    clips: dict[str, float | None]
    """Mean of one metric by person (or clip, where each is a person's only one), None where it could not be measured; empty
    before the run has scores."""


@dataclass(frozen=True, slots=True)
class RunTable:
    """The n runs that enter the analysis of one metric, and those that do not."""

    runs: tuple[Run, ...]
    values: Floats
    """[n, clips]."""
    clips: tuple[str, ...]
    """Clips on which all runs were measured."""
    clips_left_out: tuple[str, ...]
    not_scored: tuple[Run, ...]
    """Runs without scores."""
    barely_measured: tuple[Run, ...]
    """Runs that have a value on less than half of the clips."""
    alone_in_seed: tuple[Run, ...]
    """Runs that are the only one of their seed, so that their block has nothing to compare."""

    @property
    def rows(self) -> list[Row]:
        """[n] levels."""
        return [run.levels for run in self.runs]

    @property
    def seeds(self) -> list[int]:
        """[n] seeds."""
        return [run.seed for run in self.runs]


def table_of_runs(runs: Sequence[Run]) -> RunTable:
    """Sort the planned runs into those that enter the analysis and those that do not."""
    everything = sorted({clip for run in runs for clip in run.clips})
    known = [{clip for clip, value in run.clips.items() if value is not None} for run in runs]
    enough = [
        run for run, clips in zip(runs, known, strict=True) if clips and len(clips) >= _MIN_MEASURED_SHARE * len(everything)
    ]
    alone = [run for run in enough if [r.seed for r in enough].count(run.seed) == 1]
    kept = [run for run in enough if run not in alone]
    clips = [c for c in everything if all(run.clips.get(c) is not None for run in kept)] if kept else []
    values = np.array([[run.clips[c] for c in clips] for run in kept], np.float64).reshape(len(kept), len(clips))
    return RunTable(
        runs=tuple(kept) if clips else (),
        values=values,
        clips=tuple(clips),
        clips_left_out=tuple(c for c in everything if c not in clips),
        not_scored=tuple(run for run in runs if not run.clips),
        barely_measured=tuple(run for run in runs if run.clips and run not in enough),
        alone_in_seed=tuple(alone),
    )


def missing_runs(table: RunTable) -> tuple[MissingRun, ...]:
    """Every planned run that the analysis does not use, with the reason where it has scores."""
    reasons = [(run, "") for run in table.not_scored]
    reasons += [(run, "measured on less than half of the clips") for run in table.barely_measured]
    reasons += [(run, "the only run of its seed so far, so there is nothing to compare it with") for run in table.alone_in_seed]
    return tuple(MissingRun(run.arm, run.seed, run.state, reason) for run, reason in reasons)


def bounds_with_missing_runs(model: Model, table: RunTable) -> NDArray[np.float64] | None:
    """[effects, 2] the lowest and highest value of each effect if every missing run were as bad or as good as any observed one.

    The model is fitted again to all planned runs. Effects are linear in the runs' values, so that the extremes are where each
    missing run is at one end or the other. None where no run is missing.
    """
    absent = (*table.not_scored, *table.barely_measured)
    if not absent or not len(table.runs):
        return None
    everything = [*table.runs, *table.alone_in_seed, *absent]
    x = center_within_blocks(model.design_matrix([run.levels for run in everything]), [run.seed for run in everything])
    weights = 2 * np.linalg.pinv(x)[: len(model.effects)]
    alone = [np.nanmean([np.nan if r.clips.get(c) is None else r.clips[c] for c in table.clips]) for r in table.alone_in_seed]
    known = np.array([*table.values.mean(axis=1), *alone], np.float64)
    fixed, missing = weights[:, : len(known)] @ known, weights[:, len(known) :]
    ends = np.stack([missing * known.min(), missing * known.max()])
    return np.stack([fixed + ends.min(axis=0).sum(axis=1), fixed + ends.max(axis=0).sum(axis=1)], axis=1)
