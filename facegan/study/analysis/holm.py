"""Holm's adjustment over all tests of a study: every effect on every headline metric, and the claims."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

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
    from statsmodels.stats.multitest import multipletests  # takes over a second, which refusing a bad flag need not wait for

    known = [look.adjusted(value) for value in p if value is not None]
    if not known:
        return [None] * len(p)
    adjusted = iter(multipletests([*known, *[1.0] * max(0, tests - len(known))], method="holm")[1])
    return [None if value is None else float(next(adjusted)) for value in p]
