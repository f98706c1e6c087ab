"""The packing probe: rates of several trials at once, and what is chosen of them."""

import pytest

from facegan.config import Config
from facegan.training.packing import Packing, best_packing, measure_packing


@pytest.mark.slow
def test_each_number_of_trials_is_run_and_timed(tiny: Config) -> None:
    measured = measure_packing(tiny, "cpu", (1, 2), seconds=0.5)
    assert [m.trials for m in measured] == [1, 2]
    assert all(m.images_per_second > 0 and not m.error for m in measured)


@pytest.mark.slow
def test_a_number_that_fails_ends_the_probe_and_says_why(tiny: Config) -> None:
    measured = measure_packing(tiny, "no_such_device", (1, 2), seconds=0.5)
    assert [m.trials for m in measured] == [1]
    assert "RuntimeError" in measured[0].error
    assert measured[0].images_per_second == 0


def test_the_smallest_number_near_the_best_rate_is_chosen() -> None:
    rates = {1: 100.0, 2: 190.0, 4: 300.0, 8: 303.0, 16: 120.0}
    assert best_packing([Packing(n, r) for n, r in rates.items()]).trials == 4
    assert best_packing([Packing(1, 50.0), Packing(2, 0.0, "out of memory")]).trials == 1
