"""Which terms of an arm's loss pull the generator's parameters the same way, which conflict, and which dominate."""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter

from facegan.study.analysis.gradients import ArmGradients, LastQuarter, Spread

_LEVEL = 0.3
"""A cosine that is no accident: unrelated gradients of so many parameters have cosines near 0."""
_DOMINANT = 0.5
"""With this share a term's gradient is as large as all others' together."""
_FEWEST = 2
"""Measurements of each seed in the last quarter of training, with fewer of which nothing is concluded."""
_LISTED = 3
"""Pairs that a sentence lists; it counts the others."""

RULE = (
    f"Two terms agree if their cosine is at least {_LEVEL}, and conflict if it is at most -{_LEVEL}, in every seed. "
    f"A term dominates if its share is at least {_DOMINANT:.0%} in every seed. "
    "With one seed this must hold in every measurement."
)
"""How the conclusions are reached, for readers."""


@dataclass(frozen=True, slots=True)
class GradientConclusion:
    """What the gradients of an arm's terms do to each other in the last quarter of training."""

    arm: str
    dominant: str
    """The term that dominates, or nothing."""
    agree: tuple[str, ...]
    """Pairs of terms 'a~b', the highest cosine first."""
    conflict: tuple[str, ...]
    """Pairs of terms 'a~b', the lowest cosine first."""
    sentence: str


def conclude_gradients(arms: Mapping[str, ArmGradients]) -> tuple[GradientConclusion, ...]:
    """A conclusion for each arm whose gradients were measured."""
    return tuple(_conclude(arm, found.last_quarter) for arm, found in arms.items())


def _conclude(arm: str, found: LastQuarter) -> GradientConclusion:
    if found.measurements < _FEWEST:
        sentence = f"too few measurements to tell: {found.measurements} in the last quarter of training, {_FEWEST} are needed"
        return GradientConclusion(arm, "", (), (), sentence)
    largest, share = max(found.share.items(), key=lambda item: item[1].mean)
    if len(found.share) == 1:
        return GradientConclusion(arm, largest, (), (), f"{_words(largest)} is the only term")
    dominant = largest if share.lowest >= _DOMINANT else ""
    ordered = sorted(((pair, spread.mean) for pair, spread in found.cosine.items()), key=itemgetter(1))
    conflict = tuple(pair for pair, _ in ordered if found.cosine[pair].highest <= -_LEVEL)
    agree = tuple(pair for pair, _ in reversed(ordered) if found.cosine[pair].lowest >= _LEVEL)
    numbers = f"share {100 * share.mean:.0f} %, {_range(share, found.seeds, 100, '.0f', ' %')}"
    sentences = [
        f"{_words(largest)} dominates ({numbers})"
        if dominant
        else f"no term dominates; {_words(largest)} has the largest gradient ({numbers})",
        _list("agree", agree, found),
        _list("conflict", conflict, found),
        _rest(len(found.cosine) - len(agree) - len(conflict)),
    ]
    return GradientConclusion(arm, dominant, agree, conflict, ". ".join(s for s in sentences if s))


def _list(verb: str, pairs: tuple[str, ...], found: LastQuarter) -> str:
    if not pairs:
        return f"No two terms {verb}"
    named = [f"{_words(pair)} ({_cosine(found.cosine[pair], found.seeds)})" for pair in pairs[:_LISTED]]
    more = f"; and {len(pairs) - _LISTED} more" if len(pairs) > _LISTED else ""
    return f"{verb.capitalize()}: {'; '.join(named)}{more}"


def _rest(count: int) -> str:
    if not count:
        return ""
    return f"Undecided or near a right angle: {count} other pair{'s' if count > 1 else ''}"


def _cosine(spread: Spread, seeds: int) -> str:
    return f"cosine {spread.mean:+.2f}, {_range(spread, seeds, 1, '+.2f')}"


def _range(spread: Spread, seeds: int, scale: float, digits: str, unit: str = "") -> str:
    what = f"{seeds} seeds" if seeds > 1 else "one seed, measurements"
    return f"{what} {scale * spread.lowest:{digits}} to {scale * spread.highest:{digits}}{unit}"


def _words(name: str) -> str:
    """'self_consistency~pixel' as 'self consistency and pixel'."""
    return name.replace("_", " ").replace("~", " and ")
