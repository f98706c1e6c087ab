"""Numbers as text for people."""

import pytest

from facegan.report.formatting import duration


@pytest.mark.parametrize(("seconds", "text"), [(3, "3 s"), (59.6, "1 min 0 s"), (125, "2 min 5 s"), (3725, "1 h 2 min")])
def test_duration_has_at_most_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text
