"""Two-level factorial designs and their fractions, aliases, and a balanced run order.

A row maps each factor to its level, +1 (on) or -1 (off). A word is a set of factors; the product of their levels is the column
of their interaction. Words with the same column in all rows are aliases.
"""

from collections.abc import Sequence
from itertools import combinations, product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facegan.errors import UserError

Row = dict[str, int]
Word = tuple[str, ...]
Fraction = Literal["half", "quarter"]

# Minimum-aberration generators, by indices of the factors: D=AB, E=AC; E=ABC, F=BCD; F=ABCD, G=ABDE. Source: NIST e-Handbook of
# Statistical Methods, 5.3.3.4.7. pyDOE3 finds equally good ones, but takes two seconds to import, and turning its matrices and
# letters into factor names takes more code than it saves.
_QUARTERS: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {
    5: ((0, 1), (0, 2)),
    6: ((0, 1, 2), (1, 2, 3)),
    7: ((0, 1, 2, 3), (0, 1, 3, 4)),
}


def factorial(factors: Sequence[str]) -> list[Row]:
    """All 2^k rows, from everything off to everything on."""
    return [dict(zip(factors, levels, strict=True)) for levels in product((-1, 1), repeat=len(factors))]


def leave_one_out(factors: Sequence[str]) -> list[Row]:
    """Each factor off alone, then everything on."""
    return [{f: -1 if f == left else 1 for f in factors} for left in (*factors, None)]


def add_one(factors: Sequence[str]) -> list[Row]:
    """Everything off, each factor on alone, then everything on."""
    rows = [{f: 1 if f == added else -1 for f in factors} for added in (None, *factors)]
    full = dict.fromkeys(factors, 1)
    return [row for row in rows if row != full] + [full]


def fraction(factors: Sequence[str], size: Fraction) -> list[Row]:
    """A regular fraction, 2^(k-1) or 2^(k-2), in which the last one or two factors are products of others.

    It contains the row with everything on. Raises UserError for a number of factors without such a fraction.
    """
    k = len(factors)
    if size == "half" and k < 3:
        raise UserError(f"--fraction is 'half' with {k} factors: at least 3; with fewer take --design factorial")
    if size == "quarter" and k not in _QUARTERS:
        raise UserError(f"--fraction is 'quarter' with {k} factors: from 5 to 7; with fewer take half or --design factorial")
    generators = [tuple(range(k - 1))] if size == "half" else _QUARTERS[k]
    rows = factorial(factors[: k - len(generators)])
    for place, generator in zip(range(k - len(generators), k), generators, strict=True):
        for row in rows:
            row[factors[place]] = column_value(row, tuple(factors[i] for i in generator))
    return rows


def is_whole_fraction(rows: Sequence[Row]) -> bool:
    """Whether these are all rows of a half or a quarter that `fraction` makes."""
    factors = list(rows[0]) if rows else []
    known = [fraction(factors, "half")] if len(factors) > 2 else []
    known += [fraction(factors, "quarter")] if len(factors) in _QUARTERS else []
    return any(sorted(map(_levels, rows)) == sorted(map(_levels, whole)) for whole in known)


def _levels(row: Row) -> tuple[int, ...]:
    return tuple(row.values())


def fold_over(rows: Sequence[Row]) -> list[Row]:
    """The rows of a regular fraction with the levels of some factors reversed, which doubles the fraction.

    Of all sets of factors the one is chosen with which both halves together have the fewest short words in their defining
    relation (minimum aberration); of equals the smallest. Empty for other rows than those of `fraction`. Source: Montgomery,
    Design and Analysis of Experiments, 8.5.2 (fold-over of resolution III designs), with every other set of factors besides.
    """
    if not is_whole_fraction(rows):
        return []
    factors, relation = list(rows[0]), [word for word, _ in defining_relation(rows)]

    def word_lengths(reversed_factors: Word) -> list[int]:
        kept = [len(word) for word in relation if len(set(word) & set(reversed_factors)) % 2 == 0]
        return [kept.count(length) for length in range(1, len(factors) + 1)]

    chosen = min(words(factors, len(factors)), key=word_lengths)
    return [{f: -level if f in chosen else level for f, level in row.items()} for row in rows]


def column_value(row: Row, word: Word) -> int:
    """The product of the levels of a word's factors."""
    return int(np.prod([row[f] for f in word], dtype=int))


def words(factors: Sequence[str], longest: int) -> list[Word]:
    """All words of up to `longest` factors, short ones first."""
    return [word for length in range(1, longest + 1) for word in combinations(factors, length)]


def defining_relation(rows: Sequence[Row]) -> list[tuple[Word, int]]:
    """The words whose column is constant, each with its value; none for a full factorial."""
    found = []
    for word in words(list(rows[0]) if rows else [], len(rows[0]) if rows else 0):
        values = {column_value(row, word) for row in rows}
        if len(values) == 1:
            found.append((word, values.pop()))
    return found


def resolution(rows: Sequence[Row]) -> int | None:
    """The length of the shortest word of the defining relation; None where nothing is aliased.

    3: main effects are aliased with two-factor interactions; 4: these with each other; 5 and more: neither.
    """
    relation = defining_relation(rows)
    return min(len(word) for word, _ in relation) if relation else None


def alias_table(rows: Sequence[Row]) -> dict[str, list[str]]:
    """The aliases of each main effect and two-factor interaction, by the defining relation."""
    relation = defining_relation(rows)
    if not relation:
        return {}
    factors = list(rows[0])
    table = {}
    for word in words(factors, 2):
        aliases = [(sorted_word(set(word) ^ set(other), factors), sign) for other, sign in relation]
        aliases.sort(key=lambda alias: (len(alias[0]), [factors.index(f) for f in alias[0]]))
        table[word_name(word)] = [("-" if sign < 0 else "") + word_name(alias) for alias, sign in aliases]
    return table


def sorted_word(members: set[str], factors: Sequence[str]) -> Word:
    """A word with its factors in order."""
    return tuple(f for f in factors if f in members)


def word_name(word: Word) -> str:
    """'pixel x identity'; 'mean' for the empty word."""
    return " x ".join(word) or "mean"


def balanced_order(rows: Sequence[Row], seed: int) -> list[int]:
    """A shuffled order of the rows in which every prefix is nearly balanced.

    The next row is chosen by these criteria, in this order: it shows the most levels that no row has shown, rare levels first;
    it keeps the mean level of each factor closest to that of all rows; the same for pairs of factors; chance, by `seed`.
    """
    factors = list(rows[0]) if rows else []
    main = np.array([[column_value(row, (f,)) for f in factors] for row in rows], np.float64).reshape(len(rows), -1)
    two = np.array([[column_value(row, w) for w in combinations(factors, 2)] for row in rows], np.float64)
    remaining = np.random.default_rng(seed).permutation(len(rows))
    order: list[int] = []
    while len(remaining):
        unseen = np.array([_unseen_levels(main, [*order, row]) for row in remaining])
        imbalances = [_imbalance(columns, order, remaining) for columns in (two, main)]
        best = int(np.lexsort(np.array([*imbalances, unseen]))[0])
        order.append(int(remaining[best]))
        remaining = np.delete(remaining, best)
    return order


def _unseen_levels(main: NDArray[np.float64], prefix: list[int]) -> float:
    """The sum of 1 / share over the levels that no row of the prefix shows."""
    cost = 0.0
    for level in (-1, 1):
        share, seen = (main == level).mean(axis=0), (main[prefix] == level).any(axis=0)
        cost += float((1 / share[~seen & (share > 0)]).sum())
    return round(cost, 6)


def _imbalance(columns: NDArray[np.float64], order: list[int], remaining: NDArray[np.int64]) -> NDArray[np.float64]:
    """[remaining] squared distance of the prefix's sums from those of a balanced prefix, after adding each remaining row."""
    if not columns.size:
        return np.zeros(len(remaining))
    sums = columns[order].sum(axis=0) + columns[remaining]
    imbalance: NDArray[np.float64] = np.square(sums - (len(order) + 1) * columns.mean(axis=0)).sum(axis=1).round(6)
    return imbalance
