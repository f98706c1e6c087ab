"""What each factor does to each headline metric: an answer in a word, and a sentence with its interval."""

from dataclasses import dataclass
from typing import Literal

from facegan.metrics.table import display_name
from facegan.study.analysis.effect_records import Bounds, EffectEstimate, MetricEffects, StudyEffects
from facegan.study.design.analysis_plan import LEVEL

FactorAnswer = Literal["helps", "hurts", "equivalent", "undecided", "too few runs"]


@dataclass(frozen=True, slots=True)
class FactorConclusion:
    """What switching on one factor does to one metric."""

    factor: str
    """With its aliases."""
    metric: str
    better: Literal["more", "less", ""]
    answer: FactorAnswer
    """By adjusted p values. 'equivalent': smaller than the smallest effect of interest; 'undecided': neither that nor other
    than zero."""
    estimate: float
    interval: Bounds | None
    p_holm: float | None
    sentence: str


def answer_factors(effects: StudyEffects) -> tuple[FactorConclusion, ...]:
    """A conclusion for each main effect that the runs can estimate, by metric in the order of the analysis."""
    return tuple(
        _conclude(metric, found, effect, effects.family.tests)
        for metric, found in effects.metrics.items()
        for effect in found.effects
        if effect.order == 1
    )


def _conclude(metric: str, found: MetricEffects, effect: EffectEstimate, tests: int) -> FactorConclusion:
    change = f"{effect.name.replace('_', ' ')} changes {display_name(metric)} by {effect.estimate:+.3g}"
    if effect.interval is None:
        numbers = found.inference
    else:
        numbers = f"95 % interval {effect.interval[0]:+.3g} to {effect.interval[1]:+.3g}"
        if effect.p_holm is not None:
            p = "below 0.001" if effect.p_holm < 0.001 else f"{effect.p_holm:.3f}"
            numbers += f", p {p} after Holm over {tests} tests"
    answer: FactorAnswer
    if effect.interval is None or effect.p_holm is None:
        answer = "too few runs"
    elif effect.p_equivalent is not None and effect.p_equivalent < LEVEL:
        answer, change = "equivalent", f"{change}, less than the {found.smallest_of_interest:g} of interest"
    elif effect.p_holm >= LEVEL:
        answer = "undecided"
    else:
        answer = "helps" if effect.helps else "hurts"
    return FactorConclusion(
        factor=effect.name,
        metric=metric,
        better=found.better,
        answer=answer,
        estimate=effect.estimate,
        interval=effect.interval,
        p_holm=effect.p_holm,
        sentence=f"switching on {change} ({numbers}; {found.better} is better)",
    )
