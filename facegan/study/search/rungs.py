"""Asynchronous successive halving (ASHA, Li et al. 2020) of the candidates of one arm, rebuilt from what they have written.

A candidate is paused at each rung, and goes on once it is among the best third of those that have come there. ASHA compares by
one score. Here candidates are compared by several objectives: by non-dominated rank, then by their compromise. Crowding in
place of the compromise, as in NSGA-II, keeps the extremes of a front that has nearly all candidates; replayed on measured ones
it was worse than training some of them to the end by lot (jobs/bench/search.py). Ray Tune's ASHA stops a candidate for good
that is not among the best of those before it, and lets the first ones go on: replayed, it trained a quarter more images.
"""

from collections.abc import Collection, Iterable, Sequence

from facegan.study.design.candidates import REDUCTION
from facegan.study.folder.trial_folder import TrialFolder
from facegan.study.search.objectives import Measured, measured
from facegan.study.search.pareto import non_dominated_ranks


def ranked(found: Sequence[Measured]) -> list[int]:
    """Positions of candidates from the best to the worst: those that follow first, then by rank, score and position."""
    ranks = non_dominated_ranks([each.distances for each in found])
    return sorted(range(len(found)), key=lambda i: (not found[i].follows, ranks[i], found[i].score, i))


class Rungs:
    """What an arm's candidates measured at each rung, and which of them may go on.

    A candidate is judged at a rung by its first measurement there.
    """

    def __init__(self, images: Iterable[int]) -> None:
        self.rungs: dict[int, dict[str, Measured]] = {rung: {} for rung in images}

    def record(self, candidate: str, found: Measured) -> bool:
        """Record a measurement of a candidate, and say whether it has come to a rung with it."""
        passed = [rung for rung in self.rungs if rung <= found.images]
        if not passed or candidate in self.rungs[max(passed)]:
            return False
        self.rungs[max(passed)][candidate] = found
        return True

    def best(self, waiting: Collection[str], *, last: bool) -> str | None:
        """The one of the waiting candidates that may go on from the highest rung; None if none may.

        `last`: no more candidates will come to the first rung. The best third of a rung is then rounded up: one goes on.
        """
        for images in sorted(self.rungs, reverse=True):
            names = list(self.rungs[images])
            count = -(-len(names) // REDUCTION) if last else len(names) // REDUCTION
            order = ranked([self.rungs[images][name] for name in names])[:count]
            chosen = [names[i] for i in order if names[i] in waiting and self.last_rung(names[i]) == images]
            if chosen:
                return chosen[0]
        return None

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
