"""The result of one check."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of the doctor's output."""

    state: Literal["ok", "FAIL", "not checked"]
    subject: str
    message: str
    """What was found; for a FAIL also the fix, for "not checked" the reason."""

    def __str__(self) -> str:
        return f"{self.state + (':' if self.state == 'not checked' else ''):<12} {self.subject:<12} {self.message}"


def ok(subject: str, message: str) -> CheckResult:
    """Report that nothing is wrong."""
    return CheckResult("ok", subject, message)


def fail(subject: str, message: str) -> CheckResult:
    """Report a problem that stops jobs, and its fix."""
    return CheckResult("FAIL", subject, message)


def not_checked(subject: str, reason: str) -> CheckResult:
    """Report that a check does not apply here."""
    return CheckResult("not checked", subject, reason)
