"""The linear model of a study's runs: estimable effects, their aliases, and the least-squares fit.

Factor levels are coded +1 and -1, and seeds are blocks. An effect is twice its coefficient: the mean with the factor on minus
the mean with it off. An interaction effect is half the difference between one factor's effect with the other on and off.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facegan.study.design.two_level import Row, Word, column_value, word_name, words

Floats = NDArray[np.float64]

_ALL_COMBINATIONS_OF = 3
"""Factors of the designs whose model has an interaction of three."""
MIN_RESIDUAL_DEGREES_OF_FREEDOM = 2
"""Of the noise that all runs share. With a single degree of freedom it is too poorly known to be given."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One column of the model: an effect together with its aliases, the effects with the same column in this design."""

    words: tuple[Word, ...]
    """The aliased sets of factors, the shortest first."""
    signs: tuple[int, ...]
    """Sign of each word's column relative to the first."""
    assumes_no_interactions: bool = False
    """Whether the model has main effects alone."""

    @property
    def name(self) -> str:
        """Name with all aliases: 'pixel x perceptual (= self_consistency x identity)'."""
        first, *others = (("-" if s < 0 else "") + word_name(w) for w, s in zip(self.words, self.signs, strict=True))
        aliased = f" (= {' = '.join(others)})" if others else ""
        return first + aliased + (" (if no interactions)" if self.assumes_no_interactions else "")

    def column(self, rows: Sequence[Row]) -> Floats:
        """[n] coded levels in each row."""
        return np.array([column_value(row, self.words[0]) for row in rows], np.float64)


@dataclass(frozen=True, slots=True)
class Model:
    """The columns of the linear model, and the effects that the runs cannot estimate."""

    effects: tuple[Effect, ...]
    """Estimable effects."""
    nuisance: tuple[Effect, ...]
    """Columns that are kept so that they do not bias the effects, but that have no estimate of their own."""
    not_estimable: tuple[tuple[Effect, str], ...]
    """Each with the reason."""

    @property
    def longest(self) -> int:
        """The most factors of an effect in the model."""
        return max((len(effect.words[0]) for effect in (*self.effects, *self.nuisance)), default=1)

    @property
    def has_interactions(self) -> bool:
        """Whether two-factor interactions are in the model. Otherwise main effects assume that factors do not interact."""
        return not any(e.assumes_no_interactions for e in (*self.effects, *(e for e, _ in self.not_estimable)))

    def design_matrix(self, rows: Sequence[Row]) -> Floats:
        """[n, effects + nuisance] coded levels."""
        return _coded_levels((*self.effects, *self.nuisance), rows)


def _coded_levels(effects: Sequence[Effect], rows: Sequence[Row]) -> Floats:
    """[n, effects]."""
    return np.array([e.column(rows) for e in effects], np.float64).reshape(len(effects), len(rows)).T


def effects_of(rows: Sequence[Row], longest: int) -> list[Effect]:
    """All effects of up to `longest` factors in a design, with their aliases among these."""
    classes: dict[tuple[int, ...], list[tuple[Word, int]]] = {}
    for word in words(list(rows[0]) if rows else [], longest):
        column = tuple(column_value(row, word) for row in rows)
        sign = column[0]
        classes.setdefault(tuple(sign * v for v in column), []).append((word, sign))
    constant = tuple([1] * len(rows))
    found = [members for column, members in classes.items() if column != constant]
    return [
        Effect(tuple(w for w, _ in members), tuple(s * members[0][1] for _, s in members), longest == 1) for members in found
    ]


def choose_model(planned: Sequence[Row], rows: Sequence[Row], seeds: Sequence[int]) -> Model:
    """Main effects and interactions, or main effects alone where the runs cannot estimate all of them beside interactions.

    Interactions are of two factors; all combinations of three factors have their only one of three too. `planned` are the
    levels of the planned arms, which decide the aliases; `rows` [n] and `seeds` [n] are of the runs at hand.
    """
    for longest in range(longest_interaction(planned), 0, -1):
        model = _estimable_model(effects_of(planned, longest), rows, seeds)
        if not any(len(effect.words[0]) == 1 for effect, _ in model.not_estimable):
            break
    return model


def longest_interaction(planned: Sequence[Row]) -> int:
    """The most factors of an effect that a design's model has: 3 with all combinations of three factors, otherwise 2.

    With more factors there are many interactions of three, which would take power from all other tests.
    """
    is_complete = len({tuple(row.items()) for row in planned}) == 2**_ALL_COMBINATIONS_OF
    return 3 if planned and len(planned[0]) == _ALL_COMBINATIONS_OF and is_complete else 2


def _estimable_model(effects: Sequence[Effect], rows: Sequence[Row], seeds: Sequence[int]) -> Model:
    """Sort effects by whether their column is linearly independent of all others within the blocks."""
    x = center_within_blocks(_coded_levels(effects, rows), seeds)
    rank = _rank(x)
    estimable = [_rank(np.delete(x, j, axis=1)) < rank for j in range(len(effects))]
    kept = [j for j in range(len(effects)) if estimable[j]]
    nuisance: list[int] = []
    for j in range(len(effects)):
        if not estimable[j] and _rank(x[:, [*kept, *nuisance, j]]) > len(kept) + len(nuisance):
            nuisance.append(j)
    rejected = tuple((e, _reason_not_estimable(e, rows)) for e, is_kept in zip(effects, estimable, strict=True) if not is_kept)
    return Model(tuple(effects[j] for j in kept), tuple(effects[j] for j in nuisance), rejected)


def _reason_not_estimable(effect: Effect, rows: Sequence[Row]) -> str:
    if not rows:
        return "no two runs of one seed to compare yet"
    for factor in effect.words[0]:
        levels = {row[factor] for row in rows}
        if len(levels) == 1:
            return f"{factor} was only {'on' if levels == {1} else 'off'} in the runs so far"
    return "the runs so far cannot separate it from other effects"


def _rank(x: Floats) -> int:
    return int(np.linalg.matrix_rank(x)) if x.size else 0


def center_within_blocks(x: Floats, seeds: Sequence[int]) -> Floats:
    """[n, ...] minus the mean of the rows of the same seed."""
    blocks, out = np.array(seeds), x.astype(np.float64)
    for seed in set(seeds):
        out[blocks == seed] -= out[blocks == seed].mean(axis=0)
    return out


@dataclass(frozen=True, slots=True)
class Fit:
    """A model fitted to n runs."""

    model: Model
    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    """[n]."""
    values: Floats
    """[n, clips]."""
    weights: Floats
    """[effects, n] weights of the runs' values in each effect."""
    residual_maker: Floats
    """[n, n] projection that leaves the residuals of the model."""
    sigma: float
    """Residual standard deviation; 0 without residual degrees of freedom."""
    degrees_of_freedom: int
    """Residual degrees of freedom."""

    @property
    def means(self) -> Floats:
        """[n] mean over clips of each run."""
        return np.asarray(self.values.mean(axis=1), np.float64)

    @property
    def estimates(self) -> Floats:
        """[effects] on minus off."""
        return np.asarray(self.weights @ self.means, np.float64)


def fit_model(model: Model, rows: Sequence[Row], seeds: Sequence[int], values: Floats) -> Fit:
    """Ordinary least squares with seeds as blocks.

    `rows` [n] and `seeds` [n] are those of the runs, `values` [n, clips] their scores.
    """
    x = model.design_matrix(rows)
    # With columns that are independent within blocks this is (x'x)^-1 x' of the centred columns.
    weights: Floats = 2 * np.linalg.pinv(center_within_blocks(x, seeds))[: len(model.effects)].astype(np.float64)
    columns = np.hstack([block_columns(seeds), x])
    residual_maker = np.eye(len(rows)) - columns @ np.linalg.pinv(columns)
    degrees_of_freedom = len(rows) - _rank(columns)
    squares = float(np.square(residual_maker @ values.mean(axis=1)).sum())
    return Fit(
        model=model,
        rows=tuple(rows),
        seeds=tuple(seeds),
        values=values,
        weights=weights,
        residual_maker=residual_maker,
        sigma=float(np.sqrt(squares / degrees_of_freedom)) if degrees_of_freedom else 0.0,
        degrees_of_freedom=degrees_of_freedom,
    )


def block_columns(seeds: Sequence[int]) -> Floats:
    """[n, seeds] whether each run has each seed."""
    names = sorted(set(seeds))
    return np.array([[float(seed == name) for name in names] for seed in seeds], np.float64).reshape(len(seeds), len(names))
