"""cost.json in a study's folder: what was estimated before its first trial, and what was spent so far."""

from dataclasses import dataclass, replace
from pathlib import Path

from facegan.errors import UserError
from facegan.files import write_json
from facegan.records import read_record

COST = "cost.json"
_CURE = "remove it, and what was spent before is forgotten"


def _check(record: object, *names: str) -> None:
    for name in names:
        value = getattr(record, name)
        if value is not None and not 0 <= value <= 1e12:
            raise UserError(f"{name} is {value}: from 0 to 1e12")


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a study was to take, with what had been spent before it was made."""

    trials: int
    """In the plan when it was made."""
    seconds: float
    usd: float | None
    source: str
    """Where its rates are from."""
    images: float | None = None
    """Of training. None: seconds are the budget, and a rate is not known."""

    def __post_init__(self) -> None:
        _check(self, "seconds", "usd", "images")


@dataclass(frozen=True, slots=True)
class Spending:
    """What jobs have spent on a study, over all of them."""

    seconds: float = 0.0
    """Of a wall clock, while a job worked on the study."""
    usd: float | None = None
    """At the prices below; None while there was no price."""
    usd_per_hour: float | None = None
    """Of the nodes that were there at last."""
    forecast: Forecast | None = None
    limit: str = ""
    """The limit at which the study ended, as in '--max_hours 2'; '' where it did not."""

    def __post_init__(self) -> None:
        _check(self, "seconds", "usd", "usd_per_hour")

    def after(self, seconds: float, usd_per_hour: float | None) -> "Spending":
        """With so many more seconds at a price."""
        usd = self.usd
        if usd_per_hour is not None:
            usd = (usd or 0.0) + seconds / 3600 * usd_per_hour
        return replace(self, seconds=self.seconds + seconds, usd=usd, usd_per_hour=usd_per_hour)


def read_spending(study: Path) -> Spending:
    """What has been spent; nothing before the first `write_spending`."""
    return read_record(Spending, study / COST, _CURE) or Spending()


def write_spending(study: Path, spending: Spending) -> None:
    """Replace cost.json."""
    write_json(study / COST, spending)
