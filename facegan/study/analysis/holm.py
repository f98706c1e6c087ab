"""Holm's adjustment over all tests of a study: every effect on every headline metric, and the claims."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from facegan.study.analysis.effect_records import MetricEffects
from facegan.study.analysis.looks import Look


def adjust_family(
    metrics: Mapping[str, MetricEffects], claims: Mapping[str, float | None], tests: int, look: Look
) -> tuple[dict[str, MetricEffects], dict[str, float | None]]:
    """The effects and the claims with their p values adjusted for the looks, then by Holm over `tests` tests.

    The tests of equivalence are a family of the same size. Of an effect only one of the two null hypotheses can be true.
    """
    effects = [effect for found in metrics.values() for effect in found.effects]
    differs = iter(holm([*(e.p for e in effects), *claims.values()], tests, look))
    within = iter(holm([e.p_equivalent for e in effects], tests, look))
    adjusted = {
        metric: replace(
            found, effects=tuple(replace(e, p_holm=next(differs), p_equivalent=next(within)) for e in found.effects)
        )
        for metric, found in metrics.items()
    }
    return adjusted, {claim: next(differs) for claim in claims}


def holm(p: Sequence[float | None], tests: int, look: Look) -> list[float | None]:
    """The adjusted p values, None where there is none: a test without a p counts as p = 1. Holm (1979), SJS 6, 65-70."""
    known = [look.adjusted(value) for value in p if value is not None]
    order, size, largest = np.argsort(known, kind="stable"), max(tests, len(known)), 0.0
    adjusted = np.empty(len(known))
    for rank, place in enumerate(order):
        # A p value may not be below that of a smaller one.
        adjusted[place] = largest = max(largest, min(1.0, (size - rank) * known[place]))
    values = iter(adjusted)
    return [None if value is None else float(next(values)) for value in p]
