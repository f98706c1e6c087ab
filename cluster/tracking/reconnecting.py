"""A tracker whose server may be down: the study trains on, and its runs are sent once the server answers."""

from collections.abc import Callable, Mapping

from cluster.tracking.tracker import RegisteredModel, Tracker
from facegan.study.conclusions.summary import Summary
from facegan.study.design.plan import Trial


class ReconnectingTracker:
    """Implements `Tracker` by another one, which is started once its server answers.

    `check` raises UserError within seconds if the server does not answer. It is called before each use, because a client of
    MLflow waits minutes for a server that is gone. A use that fails can be repeated: nothing is sent twice.
    """

    def __init__(self, name: str, start: Callable[[], Tracker], check: Callable[[], None]) -> None:
        self.name, self._start, self._check = name, start, check
        self._tracker: Tracker | None = None

    @property
    def location(self) -> str:
        """Where the runs are and how to open them. Raises UserError if the server does not answer."""
        return self._reached().location

    @property
    def view(self) -> str:
        """A link to the arms' scores and curves. Raises UserError if the server does not answer."""
        return self._reached().view

    def sync(self) -> None:
        self._reached().sync()

    def register(self, trial: Trial, summary: Summary) -> RegisteredModel:
        return self._reached().register(trial, summary)

    def finish(self, note: str, tags: Mapping[str, str]) -> None:
        self._reached().finish(note, tags)

    def _reached(self) -> Tracker:
        self._check()
        if self._tracker is None:
            self._tracker = self._start()
        return self._tracker
