"""The power of a design before it is run, from the noise of another study or from a noise that is assumed and said."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facegan.errors import UserError
from facegan.records import read_record
from facegan.study.analysis.effect_records import MetricEffects, RunNoise
from facegan.study.analysis.looks import present_look
from facegan.study.analysis.model_text import model_of_plan
from facegan.study.analysis.power import PlannedPower, mean_noise, planned_power, undecided_main_effects
from facegan.study.conclusions.claims import why_not_answerable
from facegan.study.conclusions.summary import Summary
from facegan.study.design.analysis_plan import AnalysisPlan
from facegan.study.design.arms import Design

SEEDS = (2, 3, 5, 10)
_PEOPLE = 12
"""Test people where neither the data set nor another study tells."""
_ASSUMPTION = (
    "ASSUMED (of runs, people and runs on each person: the smallest effect of interest), so the sizes below are too; "
    "--noise_from STUDY takes a study's"
)

_OF_EFFECTS = "in its undecided main effects; of a metric without any, in all its effects"


@dataclass(frozen=True, slots=True)
class DesignPower:
    """What a design can find on each headline metric."""

    source: str
    """Where the noise is from, in words."""
    people: int
    tests: int
    """Size of the family of tests that Holm adjusts over."""
    seeds: tuple[int, ...]
    metrics: tuple[PlannedPower, ...]


def power_of_design(
    design: Design, analysis: AnalysisPlan, seeds: Sequence[int], people: int | None, noise_from: Path | None
) -> DesignPower:
    """The smallest effects found with 80 % power, by metric and number of seeds.

    `people` is the number of test people, None if it is not known; `noise_from` a study's folder. With looks, it is the power
    of the last look.
    """
    planned = [arm.levels for arm in design.arms]
    effects = len(model_of_plan(planned).effects)
    claims = sum(not reason for reason in why_not_answerable(design.factors, planned).values())
    tests = effects * len(analysis.metrics) + claims
    measured = _measured(noise_from) if noise_from else {}
    counts = [found.clips for found in measured.values()]
    people = people or max(counts, default=_PEOPLE)
    level = present_look(analysis.looks, max(analysis.looks, default=0), analysis.level).nominal_level
    found = []
    for metric in analysis.metrics:
        smallest = analysis.smallest_effects.get(metric)
        noise = _noise_of(measured[metric]) if metric in measured else _assumed(smallest)
        if noise is not None:
            found.append(planned_power(metric, noise, planned, seeds, people, level / tests, smallest))
    source = f"measured in {noise_from}, {_OF_EFFECTS}" if measured else _ASSUMPTION
    return DesignPower(source, people, tests, tuple(seeds), tuple(found))


def _measured(study: Path) -> dict[str, MetricEffects]:
    """The analysed metrics of a study that have a noise."""
    summary = read_record(Summary, study / "summary.json", "make it again with jobs/report.py")
    if summary is None:
        raise UserError(f"--noise_from is {str(study)!r}: no summary.json; make it with jobs/report.py")
    effects = summary.effects.metrics if summary.effects else {}
    known = {metric: found for metric, found in effects.items() if any(effect.noise for effect in found.effects)}
    if not known:
        raise UserError(f"--noise_from is {str(study)!r}: no effect was seen in two seeds; give a study that has more")
    return known


def _noise_of(found: MetricEffects) -> RunNoise | None:
    """The noise of the undecided main effects, as in the study's own next step; where none is left, of all effects.

    An effect that was found is left out: a large effect differs more between people than one as small as is of interest.
    """
    return mean_noise(undecided_main_effects(found)) or mean_noise(found.effects)


def _assumed(smallest: float | None) -> RunNoise | None:
    return RunNoise(smallest, smallest, smallest) if smallest else None
