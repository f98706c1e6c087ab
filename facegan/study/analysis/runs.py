"""The runs of a study as a table for one metric, and what the runs that are missing from it could change."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegan.study.analysis.model import Floats, Model, within_blocks
from facegan.study.design.two_level import Row

_MEASURED = 0.5
"""A run measured on a smaller share of the clips is missing: the clips that all runs share would be its lucky ones."""


@dataclass(frozen=True, slots=True)
class Run:
    """A planned run: `clips` are its means of one metric by clip (None: nothing to measure), empty where it has no scores."""

    arm: str
    seed: int
    levels: Row
    state: str
    clips: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Table:
    """The runs that count, their values [n, clips] on the clips that all of them were measured on, and those that do not."""

    runs: tuple[Run, ...]
    values: Floats
    clips: tuple[str, ...]
    clips_left_out: tuple[str, ...]
    missing: tuple[Run, ...]
    unmeasured: tuple[Run, ...]
    lone: tuple[Run, ...]

    @property
    def rows(self) -> list[Row]:
        """Levels, a run each."""
        return [run.levels for run in self.runs]

    @property
    def seeds(self) -> list[int]:
        """Seeds, a run each."""
        return [run.seed for run in self.runs]


def tabulate(runs: Sequence[Run]) -> Table:
    """Sort out the runs. A seed's only run says nothing yet: its block takes all of it."""
    everything = sorted({clip for run in runs for clip in run.clips})
    known = [{clip for clip, value in run.clips.items() if value is not None} for run in runs]
    scored = [run for run in runs if run.clips]
    enough = [run for run, clips in zip(runs, known, strict=True) if clips and len(clips) >= _MEASURED * len(everything)]
    lone = [run for run in enough if [r.seed for r in enough].count(run.seed) == 1]
    kept = [run for run in enough if run not in lone]
    clips = [c for c in everything if all(run.clips.get(c) is not None for run in kept)] if kept else []
    values = np.array([[run.clips[c] for c in clips] for run in kept], np.float64).reshape(len(kept), len(clips))
    return Table(
        tuple(kept) if clips else (),
        values,
        tuple(clips),
        tuple(c for c in everything if c not in clips),
        tuple(run for run in runs if not run.clips),
        tuple(run for run in scored if run not in enough),
        tuple(lone),
    )


def missing_as_json(table: Table) -> list[dict[str, Any]]:
    """Every planned run that the analysis does not rest on, with the reason."""
    reasons = [(run, "") for run in table.missing]
    reasons += [(run, "measured on less than half of the clips") for run in table.unmeasured]
    reasons += [(run, "the only run of its seed so far, which compares with nothing") for run in table.lone]
    return [{"arm": run.arm, "seed": run.seed, "state": run.state, "reason": why} for run, why in reasons]


def bounds(model: Model, table: Table) -> NDArray[np.float64] | None:
    """[effects, 2] the lowest and highest each effect can be with every missing run between the worst and best observed one.

    The model is fitted again to all planned runs. Effects are linear in the runs' values, so that the extremes are where each
    missing run is at one end or the other. None where no run is missing.
    """
    absent = (*table.missing, *table.unmeasured)
    if not absent or not len(table.runs):
        return None
    lone = [np.nanmean([np.nan if r.clips.get(c) is None else r.clips[c] for c in table.clips]) for r in table.lone]
    everything = [*table.runs, *table.lone, *absent]
    x = within_blocks(model.columns([run.levels for run in everything]), [run.seed for run in everything])
    weights = 2 * np.linalg.pinv(x)[: len(model.effects)]
    known = np.array([*table.values.mean(axis=1), *lone], np.float64)
    fixed, free = weights[:, : len(known)] @ known, weights[:, len(known) :]
    ends = np.stack([free * known.min(), free * known.max()])
    return np.stack([fixed + ends.min(axis=0).sum(axis=1), fixed + ends.max(axis=0).sum(axis=1)], axis=1)
