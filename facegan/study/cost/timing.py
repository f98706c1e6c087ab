"""timing.json in a trial's folder: how long its process took, of which the rest of the folder knows the training alone."""

from dataclasses import dataclass

from facegan.errors import UserError
from facegan.files import write_json
from facegan.records import read_record
from facegan.study.folder.trial_folder import TrialFolder

TIMING = "timing.json"
_MOST_SECONDS = 1e10


@dataclass(frozen=True, slots=True)
class Timing:
    """One run of a trial in one process, from its start to its scores."""

    started: float
    """Unix time at which the process began with the trial, by `facegan.clock`."""
    seconds: float
    """Until it was scored."""
    trained_seconds: float
    """Of them, training."""

    def __post_init__(self) -> None:
        for name in ("started", "seconds", "trained_seconds"):
            value = getattr(self, name)
            if not 0 <= value <= _MOST_SECONDS:
                raise UserError(f"{name} is {value}: from 0 to {_MOST_SECONDS:g}")


def write_timing(folder: TrialFolder, started: float, seconds: float) -> None:
    """Write the file of a trial that has just ended."""
    write_json(folder.path / TIMING, Timing(started, seconds, folder.state().seconds))


def read_timing(folder: TrialFolder) -> Timing | None:
    """None for a trial that was interrupted, trained with others, or has not ended."""
    return read_record(Timing, folder.path / TIMING, "remove it")
