"""What a study asks of an experiment tracker."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from facegan.study.conclusions.summary import Summary
from facegan.study.design.plan import Trial


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A version of a model in the tracker's registry."""

    uri: str
    usage: str
    """How to load it, in a few words for the console."""


class Tracker(Protocol):
    """Runs of one study in an experiment tracker: a parent run for the study, a child run for each trial.

    `cluster.tracking.start_tracker` creates it. All methods may be called again after an interruption and send nothing twice.
    """

    @property
    def name(self) -> str:
        """The product's name, up to 8 characters, for the console."""

    @property
    def location(self) -> str:
        """Where the runs are and how to open them, for the console."""

    @property
    def view(self) -> str:
        """A link that opens the arms' scores and curves, once the server answers; empty where none is known."""

    def sync(self) -> None:
        """Send the metrics, sample images, scores and states that the study folder has gained."""

    def register(self, trial: Trial, summary: Summary) -> RegisteredModel:
        """Register the generator of a trial, whose checkpoint is in the study folder, with its metric card."""

    def finish(self, note: str, tags: Mapping[str, str]) -> None:
        """Sync, send the study's files, attach a note in Markdown and tags to the parent run, and close it."""
