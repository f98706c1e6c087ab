"""Asynchronous successive halving (ASHA, Li et al. 2020): what the candidates of one arm measured at its rungs, in order.

A candidate is paused at each rung, and goes on once it is among the best third of those that have come there. ASHA compares by
one score. Here candidates are compared by several objectives: by non-dominated rank, then by their compromise. Crowding in
place of the compromise, as in NSGA-II, keeps the extremes of a front that has nearly all candidates; replayed on measured ones
it was worse than training some of them to the end by lot (jobs/bench/search.py). Ray Tune's ASHA stops a candidate for good
that is not among the best of those before it, and lets the first ones go on: replayed, it trained a quarter more images.
"""

from collections.abc import Callable, Collection, Iterable, Sequence

from facegan.study.design.candidates import REDUCTION
from facegan.study.folder.trial_folder import TrialFolder
from facegan.study.search.objectives import Measured, measured
from facegan.study.search.pareto import non_dominated_ranks

Ranking = Callable[[Sequence[Measured]], list[int]]
"""Positions of candidates from the best to the worst."""


def ranked(found: Sequence[Measured]) -> list[int]:
    """Positions of candidates from the best to the worst: those that follow first, then by rank, score and position."""
    ranks = non_dominated_ranks([each.distances for each in found])
    return sorted(range(len(found)), key=lambda i: (not found[i].follows, ranks[i], found[i].score, i))


class Rungs:
    """What an arm's candidates measured at each rung, and which of them may go on.

    A candidate is judged at a rung by its first measurement there.
    """

    def __init__(self, images: Iterable[int], ranking: Ranking = ranked) -> None:
        self.rungs: dict[int, dict[str, Measured]] = {rung: {} for rung in images}
        self._ranking = ranking
        self._orders: dict[int, list[str]] = {}

    def record(self, candidate: str, found: Measured) -> bool:
        """Record a measurement of a candidate, and say whether it has come to a rung with it."""
        passed = [rung for rung in self.rungs if rung <= found.images]
        if not passed or candidate in self.rungs[max(passed)]:
            return False
        self.rungs[max(passed)][candidate] = found
        self._orders.pop(max(passed), None)
        return True

    def best(self, waiting: Collection[str], *, last: bool) -> str | None:
        """The one of the waiting candidates that may go on from the highest rung; None if none may.

        `last`: no more candidates will come to the first rung. The best third of a rung is then rounded up: one goes on.
        """
        return self._first(waiting, lambda count: -(-count // REDUCTION) if last else count // REDUCTION)

    def furthest(self, waiting: Collection[str]) -> str | None:
        """The best of the waiting candidates at the highest rung where any waits, in the best third or not."""
        return self._first(waiting, lambda count: count)

    def last_rung(self, candidate: str) -> int:
        """The images of the highest rung that a candidate has come to; 0 if it has come to none."""
        return max((images for images, there in self.rungs.items() if candidate in there), default=0)

    def replay(self, folders: Iterable[TrialFolder]) -> None:
        """Record what these candidates have reported so far, so that an interrupted search has its rungs again."""
        for folder in folders:
            for row in folder.rows():
                found = measured(row.images, row.metrics)
                if found is not None:
                    self.record(folder.path.name, found)

    def _first(self, waiting: Collection[str], among: Callable[[int], int]) -> str | None:
        for images in sorted(self.rungs, reverse=True):
            order = self._order(images)
            for name in order[: among(len(order))]:
                if name in waiting and self.last_rung(name) == images:
                    return name
        return None

    def _order(self, images: int) -> list[str]:
        """The candidates at a rung from the best to the worst; ranking them takes long, so it is kept until one more comes."""
        if images not in self._orders:
            names = list(self.rungs[images])
            self._orders[images] = [names[i] for i in self._ranking([self.rungs[images][name] for name in names])]
        return self._orders[images]
