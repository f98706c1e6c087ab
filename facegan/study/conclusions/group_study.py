"""What the claims about groups of loss terms are examined with: a fitted study, and what limits its answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from facegan.study.analysis.intervals import contrast_interval
from facegan.study.analysis.looks import Look
from facegan.study.analysis.model import Fit, Floats
from facegan.study.analysis.model_text import noise_warning
from facegan.study.analysis.runs import RunTable, bounds_with_missing_runs, missing_runs
from facegan.study.conclusions.claim_records import signed
from facegan.study.conclusions.term_groups import Side, TermGroups, contrast_of
from facegan.study.design.two_level import Row, Word

SIDES: tuple[Side, Side] = ("feature", "pixel")


@dataclass(frozen=True, slots=True)
class GroupStudy:
    """A study that switches terms of both groups, fitted to one metric."""

    design: str
    groups: TermGroups
    planned: Sequence[Row]
    table: RunTable
    fit: Fit
    look: Look
    metric: str
    margin: float
    """The smallest effect of interest; 0: none is declared."""
    beside: Fit | None
    """The same runs fitted to the other coordinate of the plane; None where they have no values of it."""

    def effect_beside(self, weights: Mapping[Word, float]) -> float | None:
        """A sum of effects on the other coordinate; None where it is not known."""
        contrast = contrast_of(self.beside.model, weights) if self.beside else ""
        return None if self.beside is None or isinstance(contrast, str) else float(contrast @ self.beside.estimates)

    def opposing_parts(self, side: Side) -> tuple[str, ...]:
        """That the factors of a group have decidedly opposite effects, in words; empty where they have not, or there is one."""
        found = {}
        for factor in self.groups.factors(side):
            contrast = contrast_of(self.fit.model, {(factor.name,): 1.0})
            interval = None if isinstance(contrast, str) else contrast_interval(self.fit, contrast, self.look.nominal_level)
            if interval is not None and interval.p <= self.look.nominal_level:
                found[factor.name.replace("_", " ")] = interval
        if not {interval.estimate > 0 for interval in found.values()} >= {True, False}:
            return ()
        parts = [f"{name} {signed(i.estimate)}, {signed(i.bounds[0])} to {signed(i.bounds[1])}" for name, i in found.items()]
        return (f"its parts have opposite effects ({'; '.join(parts)})",)

    def basis(self) -> str:
        """Numbers of seeds and people, in words."""
        seeds, people = len(set(self.table.seeds)), len(self.table.clips)
        return f"{seeds} seed{'s' * (seeds != 1)}, {people} {'person' if people == 1 else 'people'}"

    def limits(self, contrast: Floats) -> tuple[str, ...]:
        """What limits an answer from a sum [effects] of effects, in words: missing runs, and arms that are far noisier."""
        found = []
        missing, bounds = missing_runs(self.table), bounds_with_missing_runs(self.fit.model, self.table)
        if missing:
            names = ", ".join(f"{run.arm} seed {run.seed} {run.state}" for run in missing[:3])
            names += f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            found.append(f"{len(missing)} of {len(missing) + len(self.table.runs)} runs are missing ({names})")
        if bounds is not None:
            low, high = (
                float(contrast @ np.where((contrast > 0) == is_high, bounds[:, 1], bounds[:, 0])) for is_high in (False, True)
            )
            change = "which may change the sign" if low <= 0 <= high else "which keeps the sign"
            found.append(f"at worst and at best they would make it {signed(low)} to {signed(high)}, {change}")
        warning = noise_warning(self.table).removeprefix("; ")
        return (*found, warning) if warning else tuple(found)
