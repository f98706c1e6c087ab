"""Holm's adjustment against statsmodels, and tests that have no p value."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from facegan.study.analysis.holm import holm
from facegan.study.analysis.looks import Look

ONCE = Look()


@pytest.mark.parametrize("size", [1, *(pytest.param(size, marks=pytest.mark.slow) for size in (7, 40))])
def test_adjusted_p_values_equal_those_of_statsmodels(size: int) -> None:
    rng = np.random.default_rng(size)
    for _ in range(3):
        p = np.round(rng.random(size) ** 3, 2)  # rounded, so that some are equal
        assert holm(list(p), size, ONCE) == pytest.approx(multipletests(p, method="holm")[1])


def test_a_test_without_a_p_value_counts_as_one() -> None:
    p = [0.01, None, 0.02]
    expected = multipletests([0.01, 1.0, 0.02, 1.0, 1.0], method="holm")[1]
    assert holm(p, 5, ONCE) == [pytest.approx(expected[0]), None, pytest.approx(expected[2])]
    assert holm([None, None], 2, ONCE) == [None, None]
