"""What a metric was fitted with, what its intervals generalise to, and which effects have none, in words."""

from collections.abc import Sequence

import numpy as np

from facegan.study.analysis.contrasts import noise_by_arm
from facegan.study.analysis.effect_records import NotEstimable
from facegan.study.analysis.intervals import RESAMPLES
from facegan.study.analysis.looks import Look
from facegan.study.analysis.model import Fit, Model, choose_model, effects_of, longest_interaction
from facegan.study.analysis.runs import RunTable
from facegan.study.design.two_level import Row, word_name, words

_NOISY = 5
"""Ratio of an arm's noise to that of the others from which on the pooled intervals are said to be too narrow."""


def describe_model(model: Model, fit: Fit | None) -> str:
    """The columns of the model, and its assumption if it has one."""
    if fit is None:
        return "none: no effect can be estimated from the runs so far"
    blocks = f", {len(set(fit.seeds))} seeds as blocks" if len(set(fit.seeds)) > 1 else ", one seed"
    if model.longest > 2:
        return f"main effects and all interactions{blocks}"
    if model.has_interactions:
        return f"main effects and two-factor interactions{blocks}"
    return f"main effects alone, which assumes that factors do not interact{blocks}"


def describe_inference(fit: Fit | None, table: RunTable, look: Look, degrees_of_freedom: float | None) -> str:
    """What the intervals generalise to, or why there are none; `degrees_of_freedom` are the fewest of any effect."""
    if fit is None:
        return "no effect can be estimated yet"
    people = f"{len(table.clips)} test {'person' if len(table.clips) == 1 else 'people'}"
    seeds = len(set(table.seeds))
    resampled = f"the bootstrap resamples {people} and {seeds} seeds {RESAMPLES} times"
    if seeds == 1:
        resampled = f"the bootstrap resamples {people} {RESAMPLES} times and does not cover other seeds"
    elif seeds < 10:
        resampled += ", and is too narrow with so few seeds"
    if degrees_of_freedom is None:
        return f"{too_few_seeds(seeds)}, so there is no interval for other seeds; {resampled}"
    alone = " (one person: they do not cover other people)" if len(table.clips) == 1 else ""
    return (
        f"t intervals for other seeds and other people from the spread of each effect over the seeds, "
        f"{degrees_of_freedom:.3g} degree{'' if degrees_of_freedom == 1 else 's'} of freedom{alone}{_looks_in_words(look)}; "
        f"{resampled}{noise_warning(table)}"
    )


def too_few_seeds(seeds: int) -> str:
    """Why there is no interval."""
    if seeds == 1:
        return "one seed: its runs do not show how other seeds would differ"
    return f"too few whole seeds among {seeds} to see how they differ"


def _looks_in_words(look: Look) -> str:
    if look.shares == (1.0,):
        return ""
    return (
        f", at the level {look.nominal_level:.2g} of look {len(look.shares)} of {len(look.shares) + look.left}, "
        f"by which all looks together miss in 5 %"
    )


def noise_warning(table: RunTable) -> str:
    """The pooled intervals share the noise of all arms, so that one far noisier arm makes them too narrow."""
    noise = noise_by_arm(table)
    for arm, own in noise.items():
        if own > _NOISY * np.sqrt(np.mean([value**2 for name, value in noise.items() if name != arm])):
            return f"; arm {arm} is over {_NOISY} times as noisy as the others, which makes the pooled intervals too narrow"
    return ""


def model_of_plan(planned: Sequence[Row]) -> Model:
    """The model that the finished study can estimate; its effects are the declared family of tests."""
    return choose_model(planned, planned, [0] * len(planned))


def not_estimable(model: Model, planned: Sequence[Row]) -> list[NotEstimable]:
    """The effects that the runs cannot estimate, with the reasons."""
    found = [NotEstimable(effect.name, reason) for effect, reason in model.not_estimable]
    if not planned:
        return found
    longest = longest_interaction(planned)
    known = {word for effect in effects_of(planned, longest) for word in effect.words}
    constant = [word for word in words(list(planned[0]), longest) if word not in known]
    found += [NotEstimable(word_name(word), "it has the same level in all arms of this study") for word in constant]
    if not model.has_interactions:
        reason = "the runs so far cannot separate interactions from main effects"
        if not model_of_plan(planned).has_interactions:
            reason = "this design cannot separate interactions from main effects; factorial and most fractions can"
        found += [NotEstimable(e.name, reason) for e in effects_of(planned, longest) if len(e.words[0]) > 1]
    elif model.longest < model_of_plan(planned).longest:
        reason = "the runs so far cannot separate it from other effects"
        found += [NotEstimable(e.name, reason) for e in effects_of(planned, longest) if len(e.words[0]) > model.longest]
    return found
