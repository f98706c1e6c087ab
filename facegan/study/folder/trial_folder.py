"""A study's folder, the truth that consoles, MLflow and reports only show.

plan.json  references.json  summary.json  report.html  figure2.png  losses.png  contact_sheet.png
trials/<key>/  config.json  state.json  metrics.jsonl  samples/<images>.png  checkpoint/  scores.json  conditions.json
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from facegan.files import read_json, write_json
from facegan.study.design.plan import Trial

State = Literal["PENDING", "RUNNING", "COMPLETED", "STOPPED", "FAILED", "DIVERGED"]
"""STOPPED: ASHA ended it early; FAILED: it broke and can be tried again; DIVERGED: a term was not finite, which is a result."""

STATE = "state.json"

FINAL: tuple[State, ...] = ("COMPLETED", "STOPPED", "DIVERGED")
"""States that running the same command again leaves alone."""


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

    def state(self) -> dict[str, Any]:
        """`state`, `images`, `seconds`, `passes`, `error`; PENDING before the trial began."""
        return read_json(self.path / STATE) or {"state": "PENDING", "images": 0, "seconds": 0.0, "passes": {}}

    def write_state(self, state: State, *, images: int, seconds: float, passes: dict[str, int], error: str = "") -> None:
        """Say where the trial is."""
        row = {"state": state, "images": images, "seconds": seconds, "passes": passes, "error": error}
        write_json(self.path / STATE, row)

    def write_failure(self, error: Exception) -> None:
        """Keep what is known of a trial that broke; the last line of an error from a worker says what happened there."""
        found, lines = self.state(), str(error).strip().splitlines()
        rest = {name: found[name] for name in ("images", "seconds", "passes")}
        self.write_state("FAILED", **rest, error=lines[-1] if lines else type(error).__name__)

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
        partial = self.path / "metrics.partial"
        partial.write_text("".join(json.dumps(row) + "\n" for row in kept))
        os.replace(partial, self.path / "metrics.jsonl")

    def conditions(self) -> dict[str, Any]:
        """What the trial started from and how much memory it took at most; empty if unknown."""
        return read_json(self.path / "conditions.json") or {}

    def write_conditions(self, found: dict[str, Any]) -> None:
        """Add to what is known of the trial's conditions."""
        write_json(self.path / "conditions.json", self.conditions() | found)

    def scores(self) -> dict[str, Any] | None:
        """The metric card of the final generator, or None."""
        card: dict[str, Any] | None = read_json(self.path / "scores.json")
        return card


def trial_folder(study: Path, trial: Trial) -> TrialFolder:
    """Where a trial's results lie."""
    return TrialFolder(study / "trials" / trial.key)
