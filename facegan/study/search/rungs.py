"""Asynchronous successive halving (ASHA, Li et al. 2020) of the candidates of one arm, rebuilt from what they have written.

ASHA compares by one score. Here candidates are compared by several objectives: by non-dominated rank, then by their compromise.
Crowding in place of the compromise, as in NSGA-II, keeps the extremes of a front that has nearly all candidates; replayed on
measured ones it was worse than training some of them to the end by lot (jobs/bench/search.py).
"""

from collections.abc import Iterable, Sequence

from facegan.study.design.candidates import REDUCTION
from facegan.study.folder.trial_folder import TrialFolder
from facegan.study.search.objectives import Measured, measured
from facegan.study.search.pareto import non_dominated_ranks


def ranked(found: Sequence[Measured]) -> list[int]:
    """Positions of candidates from the best to the worst: those that follow first, then by rank, score and position."""
    ranks = non_dominated_ranks([each.distances for each in found])
    return sorted(range(len(found)), key=lambda i: (not found[i].follows, ranks[i], found[i].score, i))


class Rungs:
    """What an arm's candidates measured at each rung, and which candidates are to be stopped.

    A candidate is judged once at each rung, by its first measurement there, against those that were there before it. It goes on
    if it is the first one there, or among the best third of all of them, itself included.
    """

    def __init__(self, images: Iterable[int]) -> None:
        self.rungs: dict[int, dict[str, Measured]] = {rung: {} for rung in images}
        self._stopped: set[str] = set()

    def goes_on(self, candidate: str, found: Measured) -> bool:
        """Record a measurement of a candidate, and say whether it goes on."""
        passed = [rung for rung in self.rungs if rung <= found.images]
        if passed and candidate not in (there := self.rungs[max(passed)]):
            there[candidate] = found
            names = list(there)
            best = ranked([there[name] for name in names])
            if best.index(names.index(candidate)) >= max(1.0, len(names) / REDUCTION):
                self._stopped.add(candidate)
        return candidate not in self._stopped

    def replay(self, folders: Iterable[TrialFolder]) -> None:
        """Judge again what these candidates have reported so far, in the order of time.

        A search that was interrupted then goes on with the rungs that it had.
        """
        rows = [(row, folder.path.name) for folder in folders for row in folder.rows()]
        for row, candidate in sorted(rows, key=lambda found: (found[0].time, found[1])):
            found = measured(row.images, row.metrics)
            if found is not None:
                self.goes_on(candidate, found)
