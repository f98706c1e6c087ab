"""Coverage of the intervals, and power, on simulated studies with planted effects. The table is in facegan/study/README.md."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facegan.study.analysis.effects import fit_table
from facegan.study.analysis.intervals import contrast_interval, pooled_interval
from facegan.study.analysis.model import Fit
from facegan.study.analysis.runs import table_of_runs
from facegan.study.design.two_level import Row, factorial, fraction
from tests.facegan.study.planted import SQUARE, Floats, runs_of, simulate
from tests.known import known

HALF = fraction("abcde", "half")
STUDIES = 400
"""The table has 2,000. An interval that covers in 0.95 covers in 0.92 of so many studies in fewer than 1 of 100 tests."""

COVERED: list[tuple[str, list[Row], int, dict[str, Any], tuple[int, ...]]] = [
    ("2 x 2, 2 seeds", SQUARE, 2, {}, ()),
    ("2 x 2, 3 seeds", SQUARE, 3, {}, ()),
    ("2 x 2, 5 seeds", SQUARE, 5, {}, ()),
    ("2 x 2, 3 seeds, effects equal on all clips", SQUARE, 3, {"slope": 0.0}, ()),
    ("2 x 2, 3 seeds, clips differ much more than runs", SQUARE, 3, {"run": 0.2}, ()),
    ("2 x 2, 3 seeds, a run missing", SQUARE, 3, {}, (6,)),
    ("2 x 2, 3 seeds, arms of uneven noise", SQUARE, 3, {"uneven": True}, ()),
    ("2 x 2, 3 seeds, one arm ten times as noisy", SQUARE, 3, {"wild": 10.0}, ()),
    ("2 x 2, 2 seeds, a varies by seed as much as runs", SQUARE, 2, {"by_seed": 1.0}, ()),
    ("2 x 2, 3 seeds, a varies by seed as much as runs", SQUARE, 3, {"by_seed": 1.0}, ()),
    ("2 x 2, 5 seeds, a varies by seed as much as runs", SQUARE, 5, {"by_seed": 1.0}, ()),
    ("2 x 2, 2 seeds, a varies by seed four times as much", SQUARE, 2, {"by_seed": 4.0}, ()),
    ("2 x 2, 3 seeds, a varies by seed four times as much", SQUARE, 3, {"by_seed": 4.0}, ()),
    ("2 x 2, 5 seeds, a varies by seed four times as much", SQUARE, 5, {"by_seed": 4.0}, ()),
    ("2 x 2, 4 seeds, four times as much, a run missing", SQUARE, 4, {"by_seed": 4.0}, (6,)),
    ("2 x 2 x 2, 3 seeds, four times as much", factorial("abc"), 3, {"by_seed": 4.0}, ()),
    ("half of 2^5, 3 seeds, one arm ten times as noisy", HALF, 3, {"wild": 10.0}, ()),
    ("quarter of 2^6, 2 seeds", fraction("abcdef", "quarter"), 2, {}, ()),
]


def fit_of(rows: list[Row], seeds: int, absent: tuple[int, ...] = ()) -> Fit:
    """The fit of a study with any values."""
    table = table_of_runs(runs_of(rows, range(seeds), np.zeros((seeds * len(rows), 12)), absent=absent))
    return known(fit_table(table, rows)[1])


def with_values(fit: Fit, values: Floats) -> Fit:
    """The fit of the same runs to other values [n, clips]; choosing the model anew each time would take most of the time."""
    squares = np.square(fit.residual_maker @ values.mean(axis=1)).sum()
    return replace(fit, values=values, sigma=float(np.sqrt(squares / max(1, fit.degrees_of_freedom))))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "rows", "seeds", "noise", "absent"), COVERED, ids=[c[0] for c in COVERED])
def test_intervals_cover_planted_effects(
    name: str, rows: list[Row], seeds: int, noise: dict[str, Any], absent: tuple[int, ...]
) -> None:
    """Two planted main effects and one interaction, and noise of seeds, runs, clips and images."""
    planted = {"a": 2.0, "b": -1.0, "a x b": 1.5}
    fit, inside = fit_of(rows, seeds, absent), dict[str, list[bool]]()
    names = [effect.name.partition(" (=")[0] for effect in fit.model.effects]
    for study in range(STUDIES):
        values = simulate(rows, seeds, planted, np.random.default_rng([study, seeds]), **noise)
        found = with_values(fit, np.delete(values, absent, axis=0))
        for j, name_of in enumerate(names):
            truth, contrast = planted.get(name_of, 0.0), np.eye(len(names))[j]
            for kind, of in (("own", contrast_interval), ("pooled", pooled_interval)):
                low, high = known(of(found, contrast)).bounds
                inside.setdefault(kind, []).append(low <= truth <= high)
                if name_of == "a":
                    inside.setdefault(f"{kind} of a", []).append(low <= truth <= high)
    covered = {kind: round(float(np.mean(values)), 3) for kind, values in inside.items()}
    print(f"\ncoverage, {name}: {covered}")
    assert covered["own"] >= 0.92 and covered["own of a"] >= 0.90
    if "by_seed" in noise and seeds > 2 and not absent:
        # Of the effect that varies, 0.89 and less in the table's 2,000 studies; 400 studies scatter by 0.015.
        assert covered["pooled of a"] < min(0.935, covered["own of a"] - 0.02), (
            "pooling must fail here, or the case shows nothing"
        )
