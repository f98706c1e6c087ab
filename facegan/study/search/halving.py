"""Which candidate of a search runs next: asynchronous successive halving over its arms, whoever runs the candidates."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from facegan.study.search.objectives import Measured
from facegan.study.search.rungs import Rungs


class Fits(Protocol):
    """Whether a candidate may run to its next rung; `needed`: its arm has too few that run or have trained to the end."""

    def __call__(self, search: "Halving", key: str, *, needed: bool) -> bool: ...


def _always(search: "Halving", key: str, *, needed: bool) -> bool:
    return True


class Halving:
    """The candidates of a search: those that are new, wait at a rung, run, or have trained to the end.

    Candidates of an arm are compared with each other, never with those of another arm. `arms` has the arm of each candidate,
    `rungs` those of each arm. `is_last` says whether no more candidates will be proposed. Once the rule lets no more of them go
    on, each arm's best ones do until as many as `finalists` have trained to the end; `whole` are those that have already. The
    first candidate that does not fit closes the search: no new one is begun, and what fits goes on as if there were no more.
    """

    def __init__(
        self,
        arms: Mapping[str, str],
        rungs: Mapping[str, Rungs],
        new: Iterable[str],
        waiting: Iterable[str],
        is_last: Callable[[], bool],
        whole: Iterable[str] = (),
        finalists: int = 1,
        fits: Fits = _always,
    ) -> None:
        self.arms, self.rungs, self._is_last = arms, rungs, is_last
        self.new, self.waiting, self.running, self._whole = list(new), set(waiting), set[str](), set(whole)
        self._finalists, self._fits = finalists, fits
        self.is_closed = False

    def next(self) -> str | None:
        """Take the candidate to run next; None if all must wait for those that run, or for more candidates."""
        key = self._promoted(last=False) or next(iter(self.new), None)
        if key is not None and not self._fits(self, key, needed=False):
            self.is_closed, key = True, None
            self.new.clear()
        if key is None and self.waiting and self.is_last():
            key = self._promoted(last=True)
            if key is None or not self._fits(self, key, needed=False):
                key = next((k for arm in self.rungs if (k := self._needed(arm)) and self._fits(self, k, needed=True)), None)
        if key is not None:
            self._run(key)
        return key

    def needed(self, arm: str) -> int:
        """How many more candidates of an arm have to train to the end."""
        return max(0, self._finalists - sum(self.arms[key] == arm for key in self._whole))

    def came(self, key: str, found: Measured) -> bool:
        """Record what a running candidate measured before its end; whether it goes on. If it does not, it waits."""
        arm, last = self.arms[key], self.is_last()
        if not self.rungs[arm].record(key, found):
            return True
        self.running.discard(key)
        self.waiting.add(key)
        is_best = self.rungs[arm].best({key}, last=last) == key and self._fits(self, key, needed=False)
        if is_best or (last and self._needed(arm) == key and self._fits(self, key, needed=True)):
            self._run(key)
        return key in self.running

    def ended(self, key: str, *, whole: bool = False) -> None:
        """Say that a candidate does not run any more, or that it is `whole`: trained to the end."""
        self.running.discard(key)
        if whole:
            self._whole.add(key)

    def is_last(self) -> bool:
        """Whether all candidates have been begun, and no more will be proposed."""
        return not self.new and (self.is_closed or self._is_last())

    def _run(self, key: str) -> None:
        self.new = [each for each in self.new if each != key]
        self.waiting.discard(key)
        self.running.add(key)

    def _needed(self, arm: str) -> str | None:
        """The best waiting candidate of an arm of which too few have trained to the end or run."""
        count = sum(self.arms[key] == arm for key in self._whole | self.running)
        return self.rungs[arm].furthest(self.waiting) if count < self._finalists else None

    def _promoted(self, *, last: bool) -> str | None:
        """The waiting candidate that goes on from the highest rung of any arm."""
        chosen = [(rungs.last_rung(key), key) for rungs in self.rungs.values() if (key := rungs.best(self.waiting, last=last))]
        return max(chosen, key=lambda each: each[0])[1] if chosen else None
