"""How values of metrics are printed."""

from facegan.metrics.table import formatted


def test_a_value_that_rounds_to_zero_has_no_sign() -> None:
    assert [formatted("target_following", value) for value in (-0.004, 0.0, -0.006, None)] == ["0.00", "0.00", "-0.01", "-"]
