"""The files that one trial leaves in the study folder, as typed records."""

import json
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from facegan.errors import UserError, printable
from facegan.files import replacing, write_json
from facegan.metrics.card import Card
from facegan.records import parse_record, read_record
from facegan.study.design.plan import Trial

State = Literal["PENDING", "RUNNING", "PAUSED", "COMPLETED", "STOPPED", "FAILED", "DIVERGED"]
"""PAUSED: waits at a rung of a search. STOPPED: ended early by ASHA. FAILED: an error, to be tried again. DIVERGED: a loss term
was not finite, a result."""

FINAL: tuple[State, ...] = ("COMPLETED", "STOPPED", "DIVERGED")
"""States of trials that the same command does not run again."""

STATE, ROWS, SCORES, CONDITIONS = "state.json", "metrics.jsonl", "scores.json", "conditions.json"
_CURE = "remove the trial's folder, and the same command trains it again"


@dataclass(frozen=True, slots=True)
class TrialState:
    """state.json: the progress of a trial."""

    state: State = "PENDING"
    images: int = 0
    """Training images so far."""
    seconds: float = 0.0
    """Training time, without checkpoints and scoring."""
    passes: dict[str, int] = field(default_factory=dict)
    """Images that each network was applied to, over all ranks."""
    error: str = ""
    """The reason for FAILED and DIVERGED, in one line."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """conditions.json: what a trial started from, and the memory that it needed. None: not known yet."""

    start_weights: str | None = None
    """Hash of both networks' weights before the first step."""
    first_batches: str | None = None
    """Hash of the rows and flips of the first 100 batches."""
    device: str | None = None
    peak_memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class MetricsRow:
    """One line of metrics.jsonl: what was measured at one report of the training loop."""

    images: int
    """Training images so far."""
    seconds: float
    """Training time so far."""
    time: float
    """Unix time of the report, by `facegan.clock`."""
    metrics: dict[str, float]
    """Values by name, such as 'loss/pixel' or 'validation/face_error'."""


@dataclass(frozen=True, slots=True)
class TrialFolder:
    """The folder of one trial."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """The folder that `facegan.training.checkpoint` writes."""
        return self.path / "checkpoint"

    @property
    def samples(self) -> Path:
        """The folder of PNGs of held-out faces, named by the training images at which they were drawn."""
        return self.path / "samples"

    def state(self) -> TrialState:
        """The trial's state; PENDING before the first `write_state`."""
        return read_record(TrialState, self.path / STATE, _CURE) or TrialState()

    def write_state(self, state: State, *, images: int, seconds: float, passes: dict[str, int], error: str = "") -> None:
        """Replace state.json."""
        write_json(self.path / STATE, TrialState(state, images, seconds, passes, printable(error)))

    def write_failure(self, error: Exception) -> None:
        """Set the state to FAILED with the reason, and keep the progress."""
        found = self.state()
        self.write_state("FAILED", images=found.images, seconds=found.seconds, passes=found.passes, error=reason_of(error))

    def rows(self) -> list[MetricsRow]:
        """The complete lines of metrics.jsonl; empty if there is no file."""
        try:
            content = (self.path / ROWS).read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UserError(f"{self.path / ROWS}: {error.strerror or error}; {_CURE}") from None
        return list(_parsed(content, self.path / ROWS))

    def rows_written(self) -> float:
        """The Unix time at which metrics.jsonl was written, as its file system says. Raises OSError if there is no file."""
        return (self.path / ROWS).stat().st_mtime

    def append_row(self, row: MetricsRow) -> None:
        """Add a line to metrics.jsonl. Raises ValueError if a value is not finite."""
        with (self.path / ROWS).open("a") as stream:
            stream.write(_line(row))

    def forget_rows_after(self, images: int) -> None:
        """Drop the rows that a resumed trial will write again, and an incomplete last line."""
        kept = [row for row in self.rows() if row.images <= images]
        with replacing(self.path / ROWS) as partial:
            partial.write_text("".join(_line(row) for row in kept))

    def conditions(self) -> Conditions:
        """What the trial started from, and the memory that it needed; all None before `write_conditions`."""
        return read_record(Conditions, self.path / CONDITIONS, _CURE) or Conditions()

    def write_conditions(self, **changes: Any) -> None:
        """Change some fields of conditions.json."""
        write_json(self.path / CONDITIONS, replace(self.conditions(), **changes))

    def scores(self) -> Card | None:
        """The metric card of the final generator; None before the trial was scored."""
        return read_record(Card, self.path / SCORES, _CURE)

    def write_scores(self, card: Card) -> None:
        """Replace scores.json."""
        write_json(self.path / SCORES, card)


@lru_cache(maxsize=64)
def _parsed(content: bytes, file: Path) -> tuple[MetricsRow, ...]:
    # What follows the last newline is a line that another process is still writing. Kept, since a report reads the same file
    # dozens of times.
    *lines, _ = content.split(b"\n")
    return tuple(parse_record(MetricsRow, line, f"{file}, line {i},", _CURE) for i, line in enumerate(lines, 1))


def _line(row: MetricsRow) -> str:
    return json.dumps(asdict(row), allow_nan=False) + "\n"


def reason_of(error: Exception) -> str:
    """An error in one line: its last one, where Ray puts what was raised in a worker."""
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__


def trial_folder(study: Path, trial: Trial) -> TrialFolder:
    """The folder of a trial in a study folder."""
    return TrialFolder(study / "trials" / trial.key)
