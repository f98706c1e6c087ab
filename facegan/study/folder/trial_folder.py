"""A study's folder, the truth that consoles, MLflow and reports only show.

plan.json  references.json  summary.json  report.html  figure2.png  losses.png  contact_sheet.png
trials/<key>/  config.json  state.json  metrics.jsonl  samples/<images>.png  checkpoint/  scores.json  conditions.json
"""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from facegan.files import read_json, replacing, write_json
from facegan.records import read_record
from facegan.study.design.plan import Trial

State = Literal["PENDING", "RUNNING", "COMPLETED", "STOPPED", "FAILED", "DIVERGED"]
"""STOPPED: ASHA ended it early; FAILED: it broke and can be tried again; DIVERGED: a term was not finite, which is a result."""

STATE = "state.json"

FINAL: tuple[State, ...] = ("COMPLETED", "STOPPED", "DIVERGED")
"""States that running the same command again leaves alone."""


@dataclass(frozen=True, slots=True)
class TrialState:
    """state.json: where a trial is."""

    state: State = "PENDING"
    images: int = 0
    """Images seen."""
    seconds: float = 0.0
    """Training time, without checkpoints and scoring."""
    passes: dict[str, int] = field(default_factory=dict)
    """Images that each network was applied to, over all ranks."""
    error: str = ""
    """Of FAILED and DIVERGED: why, in a line."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """conditions.json: what a trial started from, and what it took. None: not known yet."""

    start_weights: str | None = None
    """Hash of both networks' weights before the first step."""
    first_batches: str | None = None
    """Hash of the rows and flips of the first 100 batches."""
    device: str | None = None
    peak_memory_bytes: int | None = None


_CURE = "remove the trial's folder, and the same command trains it again"


@dataclass(frozen=True, slots=True)
class TrialFolder:
    """What a trial left on storage."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """The folder of `facegan.checkpoint`."""
        return self.path / "checkpoint"

    @property
    def samples(self) -> Path:
        """PNGs of held-out faces during training, named by images seen."""
        return self.path / "samples"

    def state(self) -> TrialState:
        """Where the trial is; PENDING before it began."""
        return read_record(TrialState, self.path / STATE, _CURE) or TrialState()

    def write_state(self, state: State, *, images: int, seconds: float, passes: dict[str, int], error: str = "") -> None:
        """Say where the trial is."""
        write_json(self.path / STATE, asdict(TrialState(state, images, seconds, passes, error)))

    def write_failure(self, error: Exception) -> None:
        """Keep what is known of a trial that broke; the last line of an error from a worker says what happened there."""
        found, lines = self.state(), str(error).strip().splitlines()
        reason = lines[-1] if lines else type(error).__name__
        self.write_state("FAILED", images=found.images, seconds=found.seconds, passes=found.passes, error=reason)

    def rows(self) -> list[dict[str, Any]]:
        """The rows of metrics so far: `images`, `seconds`, `time` (Unix) and the metrics by name."""
        try:
            lines = (self.path / "metrics.jsonl").read_text().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        # A line without its end is being written at this moment.
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def append_row(self, row: dict[str, Any]) -> None:
        """Add a row of metrics."""
        with (self.path / "metrics.jsonl").open("a") as stream:
            stream.write(json.dumps(row, allow_nan=False) + "\n")

    def forget_rows_after(self, images: int) -> None:
        """Drop the rows that a resumed run will write again."""
        kept = [row for row in self.rows() if row["images"] <= images]
        with replacing(self.path / "metrics.jsonl") as partial:
            partial.write_text("".join(json.dumps(row) + "\n" for row in kept))

    def conditions(self) -> Conditions:
        """What the trial started from, and the most memory that it held."""
        return read_record(Conditions, self.path / "conditions.json", _CURE) or Conditions()

    def write_conditions(self, **found: Any) -> None:
        """Add to what is known of the trial's conditions."""
        write_json(self.path / "conditions.json", asdict(replace(self.conditions(), **found)))

    def scores(self) -> dict[str, Any] | None:
        """The metric card of the final generator, or None."""
        card: dict[str, Any] | None = read_json(self.path / "scores.json")
        return card


def trial_folder(study: Path, trial: Trial) -> TrialFolder:
    """Where a trial's results lie."""
    return TrialFolder(study / "trials" / trial.key)
