"""The linear model of a study's runs: which effects its arms can tell apart, by what they are called, and the fit.

Levels are coded +1 and -1 and seeds are blocks. An effect is twice its coefficient: the mean with a factor on minus the mean
with it off. The effect of a pair is half the difference of one factor's effect where the other is on and where it is off.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from statsmodels.regression.linear_model import OLS

from facegan.study.design.two_level import Row, Word, column_value, word_name, words

Floats = NDArray[np.float64]

FEWEST_SEEDS = 3
"""Below, no HC3 errors: each seed's block takes too much of what they rest on."""
FEWEST_FREE = 2
"""Below that many residual degrees of freedom no interval: with one, t at 95 % is 12.7."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What one column of the model measures: an effect together with all that this study cannot tell from it.

    There is no name without the aliases. `alone` says that the model has no interactions, and so has the name.
    """

    words: tuple[Word, ...]
    signs: tuple[int, ...]
    alone: bool = False

    @property
    def name(self) -> str:
        """'pixel x perceptual (= self_consistency x identity)'."""
        first, *others = (("-" if s < 0 else "") + word_name(w) for w, s in zip(self.words, self.signs, strict=True))
        aliased = f" (= {' = '.join(others)})" if others else ""
        return first + aliased + (" (if no interactions)" if self.alone else "")

    def column(self, rows: Sequence[Row]) -> Floats:
        """[n] its coded level in each row."""
        return np.array([column_value(row, self.words[0]) for row in rows], np.float64)


@dataclass(frozen=True, slots=True)
class Model:
    """The effects to estimate, those only kept so that the others stay what they are, and the lost ones with the reason."""

    effects: tuple[Effect, ...]
    nuisance: tuple[Effect, ...]
    lost: tuple[tuple[Effect, str], ...]

    @property
    def has_interactions(self) -> bool:
        """Whether pairs are in the model; without, main effects stand on the assumption that factors do not interact."""
        return not any(effect.alone for effect in (*self.effects, *(e for e, _ in self.lost)))

    def columns(self, rows: Sequence[Row]) -> Floats:
        """[n, effects + nuisance] coded levels."""
        return _table((*self.effects, *self.nuisance), rows)


def _table(effects: Sequence[Effect], rows: Sequence[Row]) -> Floats:
    """[n, effects] coded levels."""
    return np.array([e.column(rows) for e in effects], np.float64).reshape(len(effects), len(rows)).T


def effects_of(rows: Sequence[Row], longest: int) -> list[Effect]:
    """Effects of up to `longest` factors with their aliases among these, by the columns that the planned rows give them."""
    classes: dict[tuple[int, ...], list[tuple[Word, int]]] = {}
    for word in words(list(rows[0]) if rows else [], longest):
        column = tuple(column_value(row, word) for row in rows)
        sign = column[0]
        classes.setdefault(tuple(sign * v for v in column), []).append((word, sign))
    constant = tuple([1] * len(rows))
    found = [members for column, members in classes.items() if column != constant]
    # The first word is the short one; signs are told relative to it.
    return [
        Effect(tuple(w for w, _ in members), tuple(s * members[0][1] for _, s in members), alone=longest == 1)
        for members in found
    ]


def choose_model(planned: Sequence[Row], rows: Sequence[Row], seeds: Sequence[int]) -> Model:
    """Main effects and pairs where the runs at hand [n rows and seeds] tell all main effects apart, else main effects alone."""
    model = _reduce(effects_of(planned, 2), rows, seeds)
    if any(len(effect.words[0]) == 1 for effect, _ in model.lost):
        model = _reduce(effects_of(planned, 1), rows, seeds)
    return model


def _reduce(effects: Sequence[Effect], rows: Sequence[Row], seeds: Sequence[int]) -> Model:
    x = within_blocks(_table(effects, rows), seeds)
    rank = _rank(x)
    estimable = [_rank(np.delete(x, j, axis=1)) < rank for j in range(len(effects))]
    kept = [j for j in range(len(effects)) if estimable[j]]
    nuisance: list[int] = []
    for j in range(len(effects)):
        if not estimable[j] and _rank(x[:, [*kept, *nuisance, j]]) > len(kept) + len(nuisance):
            nuisance.append(j)
    lost = tuple((e, _why_lost(e, rows)) for e, is_told in zip(effects, estimable, strict=True) if not is_told)
    return Model(tuple(effects[j] for j in kept), tuple(effects[j] for j in nuisance), lost)


def _why_lost(effect: Effect, rows: Sequence[Row]) -> str:
    if not rows:
        return "no run that compares with another yet"
    for factor in effect.words[0]:
        levels = {row[factor] for row in rows}
        if len(levels) == 1:
            return f"not both levels seen yet: {factor} was only {'on' if levels == {1} else 'off'} in the runs so far"
    return "the runs so far cannot tell it from other effects"


def _rank(x: Floats) -> int:
    return int(np.linalg.matrix_rank(x)) if x.size else 0


def within_blocks(x: Floats, seeds: Sequence[int]) -> Floats:
    """[n, ...] with the mean of each seed's rows taken off: what a column says beyond the blocks."""
    blocks, out = np.array(seeds), x.astype(np.float64)
    for seed in set(seeds):
        out[blocks == seed] -= out[blocks == seed].mean(axis=0)
    return out


@dataclass(frozen=True, slots=True)
class Fit:
    """A model on n runs: `weights` [effects, n] give an effect from the runs' values; `values` [n, clips], `seeds` [n].

    `free` residual degrees of freedom, `sigma` the residual standard deviation (0 where none is free), `hc3` for each effect
    (standard error, low, high, p), or the reason why there is none.
    """

    model: Model
    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    values: Floats
    weights: Floats
    sigma: float
    free: int
    hc3: Floats | None
    no_hc3: str

    @property
    def means(self) -> Floats:
        """[n] each run's mean over clips."""
        return np.asarray(self.values.mean(axis=1), np.float64)

    @property
    def estimates(self) -> Floats:
        """[effects] on minus off."""
        return np.asarray(self.weights @ self.means, np.float64)

    @property
    def too_few(self) -> str:
        """Why there is no inference on other seeds, or nothing."""
        if self.free >= FEWEST_FREE:
            return ""
        return f"too few runs: {self.free} residual degree{'' if self.free == 1 else 's'} of freedom"


def fit(model: Model, rows: Sequence[Row], seeds: Sequence[int], values: Floats) -> Fit:
    """Least squares by statsmodels, with HC3 errors where there are seeds and runs enough for them."""
    x = model.columns(rows)
    # As soon as the columns are independent within blocks this is (x'x)^-1 x', the blocks taken off.
    weights: Floats = 2 * np.linalg.pinv(within_blocks(x, seeds))[: len(model.effects)].astype(np.float64)
    result = OLS(values.mean(axis=1), np.hstack([block_columns(seeds), x])).fit()
    first, free = len(set(seeds)), int(result.df_resid)
    hc3, why = _hc3(result, seeds, free, slice(first, first + len(model.effects)))
    return Fit(
        model, tuple(rows), tuple(seeds), values, weights, float(np.sqrt(result.scale)) if free else 0.0, free,
        hc3, why,
    )  # fmt: skip


def block_columns(seeds: Sequence[int]) -> Floats:
    """[n, seeds] the mean and effect-coded seeds: the last one is minus the sum of the others."""
    names = sorted(set(seeds))
    coded = np.array([[float(s == name) - float(s == names[-1]) for name in names[:-1]] for s in seeds], np.float64)
    return np.hstack([np.ones((len(seeds), 1)), coded.reshape(len(seeds), -1)])


def _hc3(result: Any, seeds: Iterable[int], free: int, effects: slice) -> tuple[Floats | None, str]:
    """Standard error, interval and p of each effect; HC3 divides residuals by 1 - leverage, so none may be 1."""
    count = len(set(seeds))
    if count < FEWEST_SEEDS:
        return None, f"too few seeds: {count} of at least {FEWEST_SEEDS}"
    if free < FEWEST_FREE:
        return None, f"too few runs: {free} residual degree{'' if free == 1 else 's'} of freedom"
    alone = int((result.get_influence().hat_matrix_diag > 1 - 1e-9).sum())
    if alone:
        return None, f"{alone} run{'' if alone == 1 else 's'} of leverage 1: nothing else says what they should be"
    robust = result.get_robustcov_results("HC3", use_t=True)
    table = np.column_stack([robust.bse, robust.conf_int(), robust.pvalues])[effects]
    table[:, :3] *= 2
    return np.asarray(table, np.float64), ""
