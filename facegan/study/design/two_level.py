"""Two-level designs: which factors are on in which arm, what a fraction cannot tell apart, and an order that stays balanced.

A row maps each factor to its level, +1 (on) or -1 (off). A word is a set of factors: the product of their levels is the
column of their interaction. Words that have the same column in all rows are aliases.
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

# Quarters of least aberration, by places of the factors: D=AB, E=AC; E=ABC, F=BCD; F=ABCD, G=ABDE, as in the NIST e-Handbook
# of Statistical Methods, 5.3.3.4.7.
_QUARTERS: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {
    5: ((0, 1), (0, 2)),
    6: ((0, 1, 2), (1, 2, 3)),
    7: ((0, 1, 2, 3), (0, 1, 3, 4)),
}


def factorial(factors: Sequence[str]) -> list[Row]:
    """All 2^k rows, everything off first, everything on last."""
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
    """A regular half, 2^(k-1), or quarter, 2^(k-2): the last one or two factors are products of others. Holds the full arm."""
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


def column_value(row: Row, word: Word) -> int:
    """The product of the levels of a word's factors."""
    return int(np.prod([row[f] for f in word], dtype=int))


def words(factors: Sequence[str], longest: int) -> list[Word]:
    """All words of up to `longest` factors, short ones first."""
    return [word for length in range(1, longest + 1) for word in combinations(factors, length)]


def defining_relation(rows: Sequence[Row]) -> list[tuple[Word, int]]:
    """The words whose product is the same in all rows, with that product; none for a full factorial."""
    found = []
    for word in words(list(rows[0]) if rows else [], len(rows[0]) if rows else 0):
        values = {column_value(row, word) for row in rows}
        if len(values) == 1:
            found.append((word, values.pop()))
    return found


def resolution(rows: Sequence[Row]) -> int | None:
    """The length of the shortest word of the defining relation: 3: main effects are aliased with two-factor interactions,
    4: those with each other, 5 and more: neither; None where nothing is aliased."""
    relation = defining_relation(rows)
    return min(len(word) for word, _ in relation) if relation else None


def alias_table(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Each main effect and two-factor interaction with everything it is aliased with, by the defining relation."""
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
    """A word in the order of the factors."""
    return tuple(f for f in factors if f in members)


def word_name(word: Word) -> str:
    """'pixel x identity'; the empty word is the mean."""
    return " x ".join(word) or "mean"


def balanced_order(rows: Sequence[Row], seed: int) -> list[int]:
    """Places of the rows in an order of which every beginning is nearly balanced, shuffled by `seed` otherwise.

    Next comes the row that shows most of the levels not seen yet, the rare ones first, then the one that keeps each
    factor's share of on and off closest to that of all rows, then the same for pairs of factors, then chance.
    """
    factors = list(rows[0]) if rows else []
    main = np.array([[column_value(row, (f,)) for f in factors] for row in rows], np.float64).reshape(len(rows), -1)
    two = np.array([[column_value(row, w) for w in combinations(factors, 2)] for row in rows], np.float64)
    left = np.random.default_rng(seed).permutation(len(rows))
    order: list[int] = []
    while len(left):
        unseen = np.array([_unseen(main, [*order, place]) for place in left])
        drifts = [_drift(columns, order, left) for columns in (two, main)]
        best = int(np.lexsort(np.array([*drifts, unseen]))[0])
        order.append(int(left[best]))
        left = np.delete(left, best)
    return order


def _unseen(main: NDArray[np.float64], beginning: list[int]) -> float:
    """The levels of factors that no row of a beginning shows, each counted the more the rarer it is."""
    cost = 0.0
    for level in (-1, 1):
        share, seen = (main == level).mean(axis=0), (main[beginning] == level).any(axis=0)
        cost += float((1 / share[~seen & (share > 0)]).sum())
    return round(cost, 6)


def _drift(columns: NDArray[np.float64], order: list[int], left: NDArray[np.int64]) -> NDArray[np.float64]:
    """[left] how far from the balance of all rows a beginning is once each of the rows left is added."""
    if not columns.size:
        return np.zeros(len(left))
    sums = columns[order].sum(axis=0) + columns[left]
    drift: NDArray[np.float64] = np.square(sums - (len(order) + 1) * columns.mean(axis=0)).sum(axis=1).round(6)
    return drift
