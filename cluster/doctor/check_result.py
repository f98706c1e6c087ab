"""What the doctor says of one thing it looked at."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of the doctor's."""

    state: Literal["ok", "FAIL", "not checked"]
    subject: str
    says: str
    """What was found, and for a FAIL its cure; why, for what was not checked."""

    def __str__(self) -> str:
        return f"{self.state + (':' if self.state == 'not checked' else ''):<12} {self.subject:<12} {self.says}"


def ok(subject: str, says: str) -> CheckResult:
    """It is as it should be."""
    return CheckResult("ok", subject, says)


def fail(subject: str, says: str) -> CheckResult:
    """It will stop a job, and how to mend it."""
    return CheckResult("FAIL", subject, says)


def not_checked(subject: str, why: str) -> CheckResult:
    """Nobody looked."""
    return CheckResult("not checked", subject, why)
