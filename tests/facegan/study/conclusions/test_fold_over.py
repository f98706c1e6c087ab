"""Fold-over or more seeds: what each is worth in simulated studies. The table is in facegan/study/README.md."""

from dataclasses import dataclass

import numpy as np
import pytest

from facegan.study.analysis.effects import fit_table
from facegan.study.analysis.intervals import contrast_interval
from facegan.study.analysis.runs import table_of_runs
from facegan.study.design.two_level import Row, fold_over, fraction, word_name, words
from tests.facegan.study.planted import runs_of, simulate
from tests.known import known

STUDIES = 100
"""The table has 500."""
_LEVEL = 0.05
_ACTIVE = 0.1
"""Share of the interactions that are not zero."""
_SIZE = 2.0
"""Standard deviation of effects that are not zero, over that between runs."""


@dataclass(frozen=True)
class Found:
    """What the effects under the first of their names came to."""

    covered: float
    """Share of the 95 % intervals that contain the effect."""
    wrong: float
    """Share of the effects that are zero and are called an effect (p below 0.05)."""
    unnamed: float
    """Share of the effects that have no interval of their own, because a fraction gives it to an alias."""


def planted(factors: str, rng: np.random.Generator) -> dict[str, float]:
    """All main effects, and one interaction in ten."""
    sizes = {word_name(word): float(rng.normal(0, _SIZE)) for word in words(factors, 2)}
    return {name: size for name, size in sizes.items() if " x " not in name or rng.random() < _ACTIVE}


def follow(rows: list[Row], seeds: int, factors: str, studies: int) -> Found:
    """Simulated studies of these arms and seeds."""
    names = [word_name(word) for word in words(factors, 2)]
    covered, wrong, known_names = list[bool](), list[bool](), set[str]()
    for study in range(studies):
        rng = np.random.default_rng([study, len(factors)])
        effects = planted(factors, rng)
        values = simulate(rows, seeds, effects, rng, slope=0.5)
        found = known(fit_table(table_of_runs(runs_of(rows, range(seeds), values)), rows)[1])
        for j, effect in enumerate(found.model.effects):
            name, truth = word_name(effect.words[0]), effects.get(word_name(effect.words[0]), 0.0)
            interval = known(contrast_interval(found, np.eye(len(found.estimates))[j]))
            low, high = interval.bounds
            known_names.add(name)
            covered.append(low <= truth <= high)
            if truth == 0:
                wrong.append(interval.p < _LEVEL)
    return Found(float(np.mean(covered)), float(np.mean(wrong)), 1 - len(known_names) / len(names))


@pytest.mark.slow
@pytest.mark.parametrize("factors", ["abcde", "abcdef"])
def test_a_fold_over_separates_what_more_seeds_do_not(factors: str) -> None:
    quarter = fraction(factors, "quarter")
    both = [*quarter, *fold_over(quarter)]
    ways = {"quarter, 2 seeds": (quarter, 2), "quarter, 4 seeds": (quarter, 4), "with its fold-over, 2 seeds": (both, 2)}
    found = {name: follow(rows, seeds, factors, STUDIES) for name, (rows, seeds) in ways.items()}
    for name, row in found.items():
        print(f"\n{factors}, {name}: covered {row.covered:.3f}, wrong {row.wrong:.3f}, no interval {row.unnamed:.2f}")
    folded, seeds = found["with its fold-over, 2 seeds"], found["quarter, 4 seeds"]
    assert folded.covered > seeds.covered + 0.03 and folded.wrong < seeds.wrong / 2
    assert folded.unnamed < seeds.unnamed
