"""A search on paper: what asynchronous successive halving trains of candidates whose measurements are known or drawn."""

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from facegan.study.search.halving import Halving
from facegan.study.search.objectives import Measured


@dataclass(slots=True)
class Replayed:
    """What a search took."""

    images: dict[str, int]
    """Trained, by candidate."""
    seconds: dict[str, float]
    """That each candidate took a place, also to start and to measure."""
    whole: list[str] = field(default_factory=list)
    """Candidates that trained to the end, in this order."""
    wall_seconds: float = 0.0


def replay(
    halving: Halving,
    stops: Mapping[str, Sequence[int]],
    measure: Callable[[str, int], Measured],
    seconds: Callable[[str, int, int, bool], float],
    at_once: int,
    later: list[list[str]] | None = None,
) -> Replayed:
    """Run the candidates of `halving` on `at_once` places.

    `stops` has the images of each candidate's rungs that are left, and of its end. `measure` gives what it measures after so
    many images. `seconds` is how long it takes from some images to the next stop, and whether it has to be started for that.
    `later` are generations of candidates, each proposed when all others wait; it is empty afterwards. `halving` knows their
    arms.
    """
    found = Replayed(dict.fromkeys(stops, 0), dict.fromkeys(stops, 0.0))
    left = {key: list(images) for key, images in stops.items()}
    at = {key: halving.rungs[halving.arms[key]].last_rung(key) for key in stops}
    running: list[tuple[float, int, str]] = []
    now, count = 0.0, 0

    def go(key: str, *, starts: bool) -> None:
        nonlocal count
        length = seconds(key, at[key], left[key][0], starts)
        found.seconds[key] += length
        count += 1  # of equal times, the one that began first
        heapq.heappush(running, (now + length, count, key))

    while True:
        while len(running) < at_once and (chosen := halving.next()) is not None:
            go(chosen, starts=True)
        if not running and later:
            halving.new += later.pop(0)
            continue
        if not running:
            found.wall_seconds = now
            return found
        now, _, key = heapq.heappop(running)
        images = left[key].pop(0)
        found.images[key] += images - at[key]
        at[key] = images
        if not left[key]:
            found.whole.append(key)
            halving.ended(key, whole=True)
        elif halving.came(key, measure(key, images)):
            go(key, starts=False)
