"""Simulated runs with planted effects, for tests of the analysis."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from facegan.study.analysis.effect_records import EffectEstimate, MetricEffects
from facegan.study.analysis.runs import Run
from facegan.study.design.two_level import Row, column_value, factorial

SQUARE = factorial(["a", "b"])
SQUARE_ARMS = ["a-1b-1", "a-1b+1", "a+1b-1", "a+1b+1"]
METRIC = "identity_kept"
LANDMARK_ERROR, LANDMARK_AUC = "landmark_error", "landmark_auc"
Floats = NDArray[np.float64]


def runs_of(
    rows: Sequence[Row], seeds: Sequence[int], values: Floats, absent: Sequence[int] = (), state: str = "DIVERGED"
) -> list[Run]:
    """One run for each seed and arm, in this order; `values` [runs, clips]; runs at the indices `absent` have no scores."""
    runs = []
    for i, (seed, row) in enumerate((seed, row) for seed in seeds for row in rows):
        scores: dict[str, float | None] = {} if i in absent else {f"c{c:02d}": float(v) for c, v in enumerate(values[i])}
        name = "".join(f"{factor}{level:+d}" for factor, level in row.items())
        runs.append(Run(name, seed, row, "COMPLETED" if scores else state, scores))
    return runs


def simulate(
    rows: Sequence[Row],
    seeds: int,
    effects: dict[str, float],
    rng: np.random.Generator,
    *,
    run: float = 1.0,
    slope: float = 1.5,
    clips: int = 12,
    uneven: bool = False,
    wild: float = 1.0,
    by_seed: float = 0.0,
) -> Floats:
    """[runs, clips] scores with planted effects ('a', 'a x b') and noise of seeds, clips, runs and images.

    `run` is the standard deviation between runs, `slope` that of an effect's size between clips. With `uneven`, runs with the
    first effect on are noisier. `wild` multiplies the noise of the first arm. `by_seed` is the variance of the first effect
    between seeds, over that between runs.
    """
    columns = [[column_value(row, tuple(name.split(" x "))) for name in effects] for row in rows]
    x = np.tile(np.array(columns, np.float64), (seeds, 1))
    sizes = np.array(list(effects.values())) + rng.normal(0, slope, (clips, len(effects)))
    spread = np.where(x[:, 0] > 0, 2.0, 0.5) if uneven else np.ones(len(x))
    spread[:: len(rows)] *= wild
    blocks = np.repeat(rng.normal(0, 2, seeds), len(rows)) + spread * rng.normal(0, run, len(x))
    blocks += x[:, 0] * np.repeat(rng.normal(0, run * np.sqrt(by_seed), seeds), len(rows))
    return x @ sizes.T / 2 + blocks[:, None] + rng.normal(0, 3, clips) + rng.normal(0, 1, (len(x), clips))


def by_name(found: MetricEffects) -> dict[str, EffectEstimate]:
    """The estimates by the names of their effects."""
    return {effect.name: effect for effect in found.effects}
