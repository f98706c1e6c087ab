"""What to run next: the runs that would answer most of what a study leaves open, with their price.

Two steps are known. The fold-over of a fraction separates effects that the fraction cannot tell apart. More seeds make
intervals narrower. Where a fraction mixes effects the fold-over comes first: in simulated studies more seeds leave wrong what
is wrong about a mixed effect (`facegan/study/README.md`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from facegan.config import SHIPPED_SEEDS
from facegan.metrics.table import display_name
from facegan.study.analysis.effect_records import MetricEffects, StudyEffects
from facegan.study.analysis.model import effects_of
from facegan.study.analysis.power import mean_noise, planned_power, undecided_main_effects
from facegan.study.conclusions.claims import why_not_answerable
from facegan.study.conclusions.cost import CostSummary
from facegan.study.design.analysis_plan import LEVEL
from facegan.study.design.plan import Plan
from facegan.study.design.two_level import Row, fold_over

_MOST_SEEDS = 20
"""More seeds than these are not advised: another question or a larger smallest effect of interest is cheaper."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """Runs that a study can be extended by."""

    flags: str
    """What to add to the study's command, or to give there in place of the flag of this name."""
    runs: int
    """Number of further runs."""
    hours: float | None
    """Of a wall clock, at the rate of this study; None where that is not known."""
    usd: float | None
    sentence: str


def what_next(plan: Plan, effects: StudyEffects, cost: CostSummary | None, ended: int) -> tuple[NextStep, ...]:
    """The next steps of a study whose `ended` runs are all of its runs, the first one first; none where nothing is open.

    None either for a study that plans its own looks, and for one that lacks runs: these come first.
    """
    if ended < len(plan.trials) or plan.analysis.looks:
        return ()
    price = _Price(cost, ended)
    steps = (_fold_over(plan, effects, price), _more_seeds(plan, effects, price))
    return tuple(step for step in steps if step is not None)


@dataclass(frozen=True, slots=True)
class _Price:
    """What a run cost in this study."""

    cost: CostSummary | None
    ended: int

    def step(self, flags: str, runs: int, sentence: str) -> NextStep:
        """A step with its price."""
        share = runs / self.ended
        hours = share * self.cost.hours if self.cost and self.cost.hours else None
        usd = share * self.cost.usd if self.cost and self.cost.usd is not None else None
        return NextStep(flags, runs, hours, usd, sentence)


def _fold_over(plan: Plan, effects: StudyEffects, price: _Price) -> NextStep | None:
    """The fold-over of a fraction in which effects of up to two factors are aliased with each other."""
    planned = [arm.levels for arm in plan.arms if arm.levels]
    folded = fold_over(planned) if plan.design == "fraction" and not plan.extension else []
    if not folded:
        return None
    mixed, left = _mixed(planned), _mixed([*planned, *folded])
    if len(left) == len(mixed):
        return None
    found = _found_mixed(effects.metrics)
    parts = [
        f"{len(mixed)} effects of one or two factors have several names in this fraction; the fold-over leaves {len(left)}"
    ]
    if found:
        parts.append(f"among those that were found: {'; '.join(found)}")
    before, after = (why_not_answerable(plan.factors, rows) for rows in (planned, [*planned, *folded]))
    questions = sum(bool(before[claim]) and not after[claim] for claim in before)
    if questions:
        parts.append(f"it makes {questions} more question{'s' * (questions > 1)} answerable")
    return price.step("--extend fold-over", len(folded) * len(plan.seeds), ". ".join(map(_capitalised, parts)) + ".")


def _mixed(rows: Sequence[Row]) -> list[str]:
    """The columns of a design that two or more effects of up to two factors share."""
    return [effect.name for effect in effects_of(rows, 2) if len(effect.words) > 1]


def _found_mixed(metrics: Mapping[str, MetricEffects]) -> list[str]:
    return [
        f"{effect.name.replace('_', ' ')} on {display_name(metric)}"
        for metric, found in metrics.items()
        for effect in found.effects
        if len(effect.members) > 1 and effect.p_holm is not None and effect.p_holm < LEVEL
    ]


def _more_seeds(plan: Plan, effects: StudyEffects, price: _Price) -> NextStep | None:
    """As many seeds as find the smallest effect of interest with 80 % power, on the metrics where main effects are undecided.

    None where that takes more than `_MOST_SEEDS` on each of them.
    """
    planned = [arm.levels for arm in plan.arms if arm.levels]
    if not effects.family.tests:  # of a single arm
        return None
    level = effects.nominal_level / effects.family.tests
    most, within_reach, beyond = 0, list[str](), list[str]()
    for metric, found in effects.metrics.items():
        in_doubt = undecided_main_effects(found)
        noise = mean_noise(in_doubt)
        if noise is None or found.smallest_of_interest is None:
            continue
        power = planned_power(metric, noise, planned, (), found.clips, level, found.smallest_of_interest)
        if power.seeds_needed is None or power.seeds_needed > _MOST_SEEDS:
            beyond.append(display_name(metric))
            continue
        most = max(most, power.seeds_needed)
        names = ", ".join(effect.name.partition(" (")[0].replace("_", " ") for effect in in_doubt)
        within_reach.append(f"{names} on {display_name(metric)}")
    if most <= len(plan.seeds):
        return None
    sentence = f"Undecided: {'; '.join(within_reach)}. {most} seeds find the smallest effect of interest in 80 % of studies."
    if beyond:
        sentence += f" On {' and '.join(beyond)} not even {_MOST_SEEDS} do."
    seeds = _with_unused(plan.seeds, most)
    flags = f"--seeds {' '.join(map(str, seeds))}"
    if plan.base.start == "shipped":
        sentence += f" Start weights are shipped for {SHIPPED_SEEDS} seeds, so this is a new study with a warm-up for each seed"
        sentence += ": give no --study, or another one."
        return NextStep(f"--start random --warm_up 24000 {flags}", len(plan.arms) * len(seeds), None, None, sentence)
    return price.step(flags, len(plan.arms) * (len(seeds) - len(plan.seeds)), sentence)


def _with_unused(seeds: Sequence[int], count: int) -> list[int]:
    """These seeds, then the smallest others, `count` in all."""
    others = [seed for seed in range(count + len(seeds)) if seed not in seeds]
    return [*seeds, *others][:count]


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
