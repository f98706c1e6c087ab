"""Asynchronous successive halving (ASHA, Li et al. 2020) of the candidates of one arm, rebuilt from what they have written."""

from collections.abc import Iterable

import numpy as np

from facegan.study.analysis.model_selection import SELECTION
from facegan.study.folder.trial_folder import TrialFolder

REDUCTION = 3
"""Of the candidates at a rung, the best one in three goes on to the next, which is after three times as many images."""


class Rungs:
    """The scores of an arm's candidates at each rung, and which candidates are to be stopped.

    Rungs are at `grace_images` and at 3, 9, ... times as many, below `images`. A candidate is judged once at each rung, by its
    first score there, against those that were there before it. It is stopped if its score is worse than the best third of
    theirs, interpolated as by `numpy.percentile`; less is better.
    """

    def __init__(self, grace_images: int, images: int) -> None:
        count = 1 + int(np.log(images / grace_images) / np.log(REDUCTION) + 1e-9)
        self.rungs: dict[int, dict[str, float]] = {grace_images * REDUCTION**k: {} for k in range(count)}
        self._stopped: set[str] = set()

    def goes_on(self, candidate: str, images: int, score: float) -> bool:
        """Record the score of a candidate after so many images, and say whether it goes on."""
        passed = [rung for rung in self.rungs if rung <= images]
        if passed and candidate not in (scores := self.rungs[max(passed)]):
            if scores and score > np.percentile(list(scores.values()), 100 / REDUCTION):
                self._stopped.add(candidate)
            scores[candidate] = score
        return candidate not in self._stopped

    def replay(self, folders: Iterable[TrialFolder]) -> None:
        """Judge again what these candidates have reported so far, in the order of time.

        A study that was interrupted then goes on with the rungs that it had.
        """
        rows = [(row, folder.path.name) for folder in folders for row in folder.rows() if SELECTION in row.metrics]
        for row, candidate in sorted(rows, key=lambda found: (found[0].time, found[1])):
            self.goes_on(candidate, row.images, row.metrics[SELECTION])
