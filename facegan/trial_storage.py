"""Where a trial is kept: what `facegan.trial` asks of it, and the simplest answer, a folder of this machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from facegan.study.folder.trial_folder import TrialFolder


class TrialStorage(Protocol):
    """Where a trial is kept: a folder to work in, and the way its files reach the location that outlives the node."""

    @property
    def folder(self) -> TrialFolder:
        """The trial's folder on this node."""

    def claim(self) -> None:
        """Become the writer of the trial. An earlier run of it, which may have outlived its driver, is one no longer."""

    def check_claim(self) -> None:
        """Raise UserError if another run has become the writer since `claim`."""

    def fetch_checkpoint(self) -> None:
        """Bring the last checkpoint into the folder, if there is one."""

    def node_ends(self) -> bool:
        """Whether this node is about to be taken away, so that what is not saved now may be lost."""

    def study_file(self, name: str) -> Path:
        """A file of the whole study, fetched if it exists."""

    def checkpoint_of(self, key: str) -> Path:
        """The checkpoint folder of another trial, fetched if it exists."""

    def publish(self, *, now: bool) -> None:
        """Send what has changed; unless `now`, only when some seconds have passed since the last time."""


@dataclass(frozen=True, slots=True)
class LocalStorage:
    """A trial of a study in a folder of this machine."""

    study: Path
    key: str

    @property
    def folder(self) -> TrialFolder:
        """The trial's folder."""
        return TrialFolder(self.study / "trials" / self.key)

    def claim(self) -> None:
        """Nobody else runs it."""

    def check_claim(self) -> None:
        """Nobody else runs it."""

    def fetch_checkpoint(self) -> None:
        """It is there already."""

    def node_ends(self) -> bool:
        """A machine of one's own is not taken away."""
        return False

    def study_file(self, name: str) -> Path:
        """A file of the study's folder."""
        return self.study / name

    def checkpoint_of(self, key: str) -> Path:
        """The checkpoint folder of another trial."""
        return LocalStorage(self.study, key).folder.checkpoint

    def publish(self, *, now: bool) -> None:
        """There is nowhere to send it."""
