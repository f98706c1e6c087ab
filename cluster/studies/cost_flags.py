"""The flags about the cost of a study, which all jobs that train share. They are checked without importing Ray or torch."""

import math
from dataclasses import dataclass, replace

from cluster.storage.uri import storage_uri
from cluster.studies.study_store import StudyStore
from facegan.errors import UserError
from facegan.study.cost.prices import INTERRUPTIONS_PER_HOUR
from facegan.study.folder.study_folder import read_plan

_LEAST, _MOST = 1e-9, 1e9


@dataclass(frozen=True, kw_only=True, slots=True)
class CostFlags:
    """What a study may cost, and how that is estimated."""

    plan: bool = False
    """Train nothing; print what the study costs in hours, storage and dollars, and what it finds with which probability."""
    json: bool = False
    """With --plan: print one JSON object in place of the page. In compare.py also for the result, alone on standard output."""
    probe_seconds: float | None = None
    """Seconds for which the speed of each arm is measured on the hardware that trials would get; 0: not measured. By default
    30, and two minutes for all arms; 0 on a machine without a GPU where an image takes more than 10 GFLOP."""
    rates_from: str = ""
    """A study whose speeds and fixed times are taken. By default those of this study itself, if it has begun."""
    images_per_second: float | None = None
    """With --plan: speed of one trial with the full loss on the nodes that are to run it; other arms follow by their GFLOP."""
    noise_from: str = ""
    """With --plan: a study whose noise is taken. By default the noise is assumed, and said with the result."""
    usd_per_hour: float | None = None
    """Dollars an hour of a node that runs trials. By default the list price of a node with this GPU; none without a GPU."""
    interruptions_per_hour: float = INTERRUPTIONS_PER_HOUR
    """How often a spot node is taken back; an assumption."""
    max_usd: float | None = None
    """Start no trial with which the study would cost more, and end a trial at its next checkpoint once it does. What earlier
    runs of the same study spent counts too."""
    max_hours: float | None = None
    """The same for hours of the clock."""

    def __post_init__(self) -> None:
        for name in ("images_per_second", "usd_per_hour", "max_usd", "max_hours"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= _MOST:
                raise UserError(f"--{name} is {value}: above 0, at most {_MOST:,.0f}")
        for name in ("probe_seconds", "interruptions_per_hour"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and 0 <= value <= 3600):
                raise UserError(f"--{name} is {value}: from 0 to 3600")
        for name in ("noise_from", "images_per_second"):
            if (value := getattr(self, name)) and not self.plan:
                raise UserError(f"--{name} is {value!r}: it goes with --plan True")
        if self.images_per_second and self.rates_from:
            raise UserError(f"--images_per_second is {self.images_per_second:g}: leave it out with --rates_from")

    @property
    def limited(self) -> bool:
        """Whether a limit was given."""
        return self.max_usd is not None or self.max_hours is not None

    def check(self, *, has_json_result: bool = False) -> None:
        """Raise UserError for a study that cannot be read, or for --json where the job itself has no result as JSON."""
        if self.json and not self.plan and not has_json_result:
            raise UserError("--json is True: it goes with --plan True")
        if self.noise_from:
            storage_uri("--noise_from", self.noise_from).check()
        if self.rates_from:
            store = StudyStore(storage_uri("--rates_from", self.rates_from))
            store.location.check()
            store.pull()
            read_plan(store.folder, "--rates_from", self.rates_from)

    def less(self, seconds: float, usd: float | None) -> "CostFlags":
        """The flags for a second study, after a first one has spent so much. Where nothing is left, no trial fits."""
        hours = self.max_hours and max(_LEAST, self.max_hours - seconds / 3600)
        return replace(self, max_hours=hours, max_usd=self.max_usd and max(_LEAST, self.max_usd - (usd or 0.0)))
