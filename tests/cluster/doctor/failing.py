"""An assertion of the doctor's tests."""

from cluster.doctor.check_result import CheckResult


def failed(result: CheckResult | list[CheckResult], *words: str) -> None:
    """Assert that it is one FAIL, on one line, with these words."""
    assert isinstance(result, CheckResult)
    assert result.state == "FAIL", result
    assert "\n" not in str(result)
    assert [word for word in words if word not in result.message] == [], result
