"""Fractions and aliases against textbooks, and the balanced run order."""

import numpy as np
import pytest

from facegan.config import Config
from facegan.study.design.arms import Design
from facegan.study.design.two_level import (
    alias_table,
    balanced_order,
    column_value,
    defining_relation,
    factorial,
    fold_over,
    fraction,
    resolution,
)
from tests.facegan.study.design.designs import GROUPS, design, plan_of

LETTERS = "ABCDEFG"


def test_aliases_of_the_half_fraction_of_six_factors_match_the_textbook() -> None:
    """I = ABCDEF, resolution VI: main effects are aliased with interactions of five factors, pairs with those of four."""
    rows = fraction("ABCDEF", "half")
    assert len(rows) == 32 and resolution(rows) == 6
    assert defining_relation(rows) == [(tuple("ABCDEF"), 1)]
    table = alias_table(rows)
    assert len(table) == 6 + 15
    assert table["A"] == ["B x C x D x E x F"] and table["B x D"] == ["A x C x E x F"]


def test_aliases_of_the_quarter_fraction_of_six_factors_match_the_textbook() -> None:
    """E = ABC, F = BCD; I = ABCE = BCDF = ADEF, resolution IV (Montgomery, Design and Analysis of Experiments, 2^(6-2))."""
    rows = fraction("ABCDEF", "quarter")
    assert len(rows) == 16 and resolution(rows) == 4
    assert {"".join(word): sign for word, sign in defining_relation(rows)} == {"ABCE": 1, "BCDF": 1, "ADEF": 1}
    table = {name.replace(" x ", ""): {a.replace(" x ", "") for a in aliases} for name, aliases in alias_table(rows).items()}
    pairs = {name: {a for a in aliases if len(a) == 2} for name, aliases in table.items() if len(name) == 2}
    expected = [{"AB", "CE"}, {"AC", "BE"}, {"AD", "EF"}, {"AE", "BC", "DF"}, {"AF", "DE"}, {"BD", "CF"}, {"BF", "CD"}]
    assert sorted(map(sorted, {frozenset({n} | a) for n, a in pairs.items()})) == sorted(map(sorted, expected))
    assert table["A"] == {"BCE", "DEF", "ABCDF"} and table["F"] == {"BCD", "ADE", "ABCEF"}


@pytest.mark.parametrize(("k", "size", "expected"), [(3, "half", 3), (5, "half", 5), (5, "quarter", 3), (7, "quarter", 4)])
def test_fractions_have_their_resolution_and_are_orthogonal(k: int, size: str, expected: int) -> None:
    rows = fraction(LETTERS[:k], size)  # type: ignore[arg-type]
    assert resolution(rows) == expected
    table = np.array([[row[f] for f in LETTERS[:k]] for row in rows])
    assert (table.T @ table == len(rows) * np.eye(k)).all()
    assert all(column_value(row, word) == sign for row in rows for word, sign in defining_relation(rows))


@pytest.mark.parametrize(
    ("k", "size", "expected"), [(3, "half", None), (5, "quarter", 4), (6, "quarter", 4), (7, "quarter", 5)]
)
def test_a_fold_over_doubles_a_fraction_and_leaves_the_longest_words(k: int, size: str, expected: int | None) -> None:
    """A quarter of five factors, I = ABD = ACE = BCDE, is left with BCDE; one of seven, with its word of five."""
    rows = fraction(LETTERS[:k], size)  # type: ignore[arg-type]
    both = [*rows, *fold_over(rows)]
    assert len({tuple(row.items()) for row in both}) == 2 * len(rows)
    assert resolution(both) == expected
    table = np.array([[row[f] for f in LETTERS[:k]] for row in both])
    assert (table.T @ table == len(both) * np.eye(k)).all()


def test_a_design_without_aliases_has_no_fold_over() -> None:
    assert fold_over(factorial("AB")) == [] and fold_over([]) == []
    assert fold_over(fraction("ABCDE", "quarter")[1:]) == [], "a part of a fraction is no fraction"


def test_the_full_factorial_has_no_aliases_and_omitted_arms_create_some() -> None:
    rows = [a.levels for a in design("factorial", *GROUPS).arms]
    assert alias_table(rows) == {} and resolution(rows) is None
    assert alias_table([rows[0], rows[3]])["pixel_space"] == ["feature_space"]
    assert alias_table(rows[1:3])["pixel_space"] == ["-feature_space"]


STYLED = Config().override({"loss.style": 1.0})


TERMS = ("pixel", "self_consistency", "triple_consistency", "perceptual", "identity", "style")


CASES = [
    *((f"factorial of {k}", design("factorial", *TERMS[:k], config=STYLED)) for k in range(2, 7)),
    ("half of 3", design("fraction", "pixel_space", "perceptual", "identity", size="half")),
    ("half of 5", design("fraction", size="half")),
    ("quarter of 5", design("fraction", size="quarter")),
    ("figure2", design("figure2")),
    ("loo", design("loo")),
]


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2), (3, 1, 4, 5, 9)])
@pytest.mark.parametrize(("name", "found"), CASES, ids=[name for name, _ in CASES])
def test_every_prefix_of_the_run_order_is_nearly_balanced(
    name: str, found: Design, seeds: tuple[int, ...], tiny: Config
) -> None:
    made = plan_of(tiny.override({"loss.style": 1.0}), found, seeds)
    order = made.run_order()
    assert sorted(t.key for t in order) == sorted(t.key for t in made.trials)
    levels = {arm.name: list(arm.levels.values()) for arm in found.arms}
    table = np.array([levels[t.arm] for t in order])
    share = table.mean(axis=0)
    imbalance = np.abs(np.cumsum(table, axis=0) - np.arange(1, len(table) + 1)[:, None] * share)
    assert imbalance.max() <= (2 if name.startswith("factorial") or name == "figure2" else 4), (
        "the levels +1 and -1 are not balanced"
    )
    quarter = table[: -(-len(table) // 4)]
    # Two runs have all levels if the design contains the opposite of each arm; leave-one-out designs need more.
    if len(quarter) >= {"figure2": 3, "loo": 5, "fraction": 3}.get(found.name, 2):
        assert (quarter == 1).any(axis=0).all() and (quarter == -1).any(axis=0).all(), "a level is missing"
    blocks = [t.seed for t in order]
    assert blocks == sorted(blocks, key=seeds.index), "the trials of a seed are not one block"


def test_the_run_order_is_a_shuffle_seeded_by_the_plan(tiny: Config) -> None:
    found = design("factorial", "pixel", "consistency", "identity")
    one, same, other = (plan_of(tiny, found, seeds).run_order() for seeds in ((0, 1), (0, 1), (0, 2)))
    assert one == same
    assert [t.arm for t in one] != [t.arm for t in other]
    assert one == plan_of(tiny, found, (0, 1, 2)).run_order()[:16], "a seed that is added changes the order of the others"
    assert [t.arm for t in one[:8]] != [t.arm for t in one[8:]], "each seed has the same order"
    firsts = {balanced_order([a.levels for a in found.arms], seed)[0] for seed in range(40)}
    assert len(firsts) > 4
