"""The linear model of a study's runs: estimable effects, their aliases, and the least-squares fit.

Factor levels are coded +1 and -1, and seeds are blocks. An effect is twice its coefficient: the mean with the factor on minus
the mean with it off. An interaction effect is half the difference between one factor's effect with the other on and off.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegan.study.design.two_level import Row, Word, column_value, word_name, words

Floats = NDArray[np.float64]

MIN_SEEDS_FOR_HC3 = 3
"""With fewer seeds, the blocks take up most of the residuals that HC3 errors are computed from."""
MIN_DEGREES_OF_FREEDOM = 2
"""With a single residual degree of freedom the 95 % quantile of t is 12.7, so no interval is given."""


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
    """Main effects and two-factor interactions, or main effects alone where the runs cannot estimate all of them beside.

    `planned` are the levels of the planned arms, which decide the aliases; `rows` [n] and `seeds` [n] are of the runs at hand.
    """
    model = _estimable_model(effects_of(planned, 2), rows, seeds)
    if any(len(effect.words[0]) == 1 for effect, _ in model.not_estimable):
        model = _estimable_model(effects_of(planned, 1), rows, seeds)
    return model


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
    sigma: float
    """Residual standard deviation; 0 without residual degrees of freedom."""
    degrees_of_freedom: int
    """Residual degrees of freedom."""
    hc3: Floats | None
    """[effects, 4] heteroscedasticity-consistent standard error, low, high and p of each effect (MacKinnon and White 1985)."""
    no_hc3_reason: str
    """Why `hc3` is None."""

    @property
    def means(self) -> Floats:
        """[n] mean over clips of each run."""
        return np.asarray(self.values.mean(axis=1), np.float64)

    @property
    def estimates(self) -> Floats:
        """[effects] on minus off."""
        return np.asarray(self.weights @ self.means, np.float64)

    @property
    def no_interval_reason(self) -> str:
        """Why there is no inference on other seeds; empty where there is."""
        return "" if self.degrees_of_freedom >= MIN_DEGREES_OF_FREEDOM else _too_few_runs(self.degrees_of_freedom)


def _too_few_runs(degrees_of_freedom: int) -> str:
    return f"too few runs: {degrees_of_freedom} residual degree{'' if degrees_of_freedom == 1 else 's'} of freedom"


def fit_model(model: Model, rows: Sequence[Row], seeds: Sequence[int], values: Floats) -> Fit:
    """Ordinary least squares with seeds as blocks, and HC3 errors where there are enough seeds and runs.

    `rows` [n] and `seeds` [n] are those of the runs, `values` [n, clips] their scores.
    """
    from statsmodels.regression.linear_model import OLS  # takes over a second, which refusing a bad flag need not wait for

    x = model.design_matrix(rows)
    # With columns that are independent within blocks this is (x'x)^-1 x' of the centred columns.
    weights: Floats = 2 * np.linalg.pinv(center_within_blocks(x, seeds))[: len(model.effects)].astype(np.float64)
    result = OLS(values.mean(axis=1), np.hstack([block_columns(seeds), x])).fit()
    degrees_of_freedom, first = int(result.df_resid), len(set(seeds))
    hc3, no_hc3_reason = _hc3(result, first, degrees_of_freedom, slice(first, first + len(model.effects)))
    return Fit(
        model=model,
        rows=tuple(rows),
        seeds=tuple(seeds),
        values=values,
        weights=weights,
        sigma=float(np.sqrt(result.scale)) if degrees_of_freedom else 0.0,
        degrees_of_freedom=degrees_of_freedom,
        hc3=hc3,
        no_hc3_reason=no_hc3_reason,
    )


def block_columns(seeds: Sequence[int]) -> Floats:
    """[n, seeds] intercept and effect-coded seeds: the last seed is minus the sum of the others."""
    names = sorted(set(seeds))
    coded = np.array([[float(s == name) - float(s == names[-1]) for name in names[:-1]] for s in seeds], np.float64)
    return np.hstack([np.ones((len(seeds), 1)), coded.reshape(len(seeds), -1)])


def _hc3(result: Any, seeds: int, degrees_of_freedom: int, effects: slice) -> tuple[Floats | None, str]:
    """[effects, 4] standard error, interval and p, or None with the reason."""
    if seeds < MIN_SEEDS_FOR_HC3:
        return None, f"too few seeds: {seeds} of at least {MIN_SEEDS_FOR_HC3}"
    if degrees_of_freedom < MIN_DEGREES_OF_FREEDOM:
        return None, _too_few_runs(degrees_of_freedom)
    # HC3 divides residuals by 1 - leverage.
    saturated = int((result.get_influence().hat_matrix_diag > 1 - 1e-9).sum())
    if saturated:
        return None, f"{saturated} run{'' if saturated == 1 else 's'} of leverage 1, which the model fits exactly"
    robust = result.get_robustcov_results("HC3", use_t=True)
    table = np.column_stack([robust.bse, robust.conf_int(), robust.pvalues])[effects]
    table[:, :3] *= 2
    return np.asarray(table, np.float64), ""
